import pytest
import torch

from ibkit.optim import cosine_decay


def test_it_is_torchs_cosine_schedule_and_a_straight_line_is_not():
    schedule = cosine_decay(0.3, 0.02, steps=12)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12, eta_min=0.02)
    line = []
    for t in range(13):
        assert schedule(t) == pytest.approx(scheduler.get_last_lr()[0])
        line.append(schedule(t) == pytest.approx(0.3 - 0.28 * t / 12, rel=1e-3))
        optimizer.step()
        scheduler.step()
    assert not all(line)
    assert schedule(99) == 0.02
    several = cosine_decay(torch.tensor([0.3, 3.0]), torch.tensor([0.02, 0.2]), steps=12)
    torch.testing.assert_close(several(5), schedule(5) * torch.tensor([1.0, 10.0]))


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named():
    with pytest.raises(ValueError, match="first must be positive"):
        cosine_decay(0.0, 0.1, 5)
    with pytest.raises(ValueError, match="last must be positive"):
        cosine_decay(0.1, -0.1, 5)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        cosine_decay(0.1, 0.1, 0)
