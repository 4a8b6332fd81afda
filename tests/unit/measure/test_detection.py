import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from ibkit.measure import roc


def agrees_with_sklearn(method, scores, positive):
    found = method(scores, positive)
    alarms, hits, _ = roc_curve(positive, scores, drop_intermediate=False)
    return (
        np.isclose(found.area, roc_auc_score(positive, scores))
        and np.isclose(np.trapezoid(found.true_positives, found.false_positives), found.area)
        and np.array_equal(found.false_positives, alarms)
        and np.array_equal(found.true_positives, hits)
    )


def test_the_curve_is_that_of_sklearn():
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.3
    scores = np.round(rng.normal(size=200) + positive, 1)  # with ties
    assert agrees_with_sklearn(roc, scores, positive)

    def ties_count_as_won(scores, positive):
        wins = (scores[positive][:, None] >= scores[~positive]).mean()
        return roc(scores, positive)._replace(area=wins)

    assert not agrees_with_sklearn(ties_count_as_won, scores, positive)


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="positive must hold both groups, got 2 positives and 0 negatives"):
        roc(np.zeros(2), np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="scores must not hold NaN"):
        roc(np.array([0.0, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match="scores and positive must have one shape"):
        roc(np.zeros(3), np.ones(2, dtype=bool))
