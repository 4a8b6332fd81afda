"""The explorer of the landing page: the whole book in one small picture, computed when the site is built."""

from __future__ import annotations

import numpy as np

from ibkit.show import Explorer, Lines, Scatter, explore

# Two classes that a line through the origin separates, in many ways.
_ONE = np.array([[0.7, 1.5], [2.6, 1.9], [1.4, 2.9], [3.0, 2.7], [-0.3, 3.2], [2.0, 2.3], [3.4, 2.0]])
_OTHER = np.array([[-2.4, -2.1], [-1.0, -2.5], [-1.6, -2.9], [-3.2, -2.2], [-2.2, -2.6], [-0.1, -3.2], [-2.9, -1.8]])
_ANGLES = np.linspace(-0.35 * np.pi, 0.85 * np.pi, 721)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
# Steepest descent in a norm goes to the widest margin in that norm; three of them have names.
_NORMS = {"1": 1.0, "1.5": 1.5, "2": 2.0, "3": 3.0, "6": 6.0, "∞": np.inf}
_NAMES = {"1": "1: coordinate descent", "2": "2: gradient descent", "∞": "∞: sign descent"}


def margins(points: np.ndarray, p: float) -> np.ndarray:
    """Compute the margin of every direction of the plane, measured in a p-norm.

    Args:
        points: shape (n, 2); one class as it is, the other reflected through the origin.
        p: the norm's exponent, 1 to infinity.

    Returns:
        The smallest inner product with a point over the norm of the direction, one value a direction.

    Example:
        >>> float(margins(np.array([[1.0, 0.0]]), 2.0).max().round(6))
        1.0
    """
    return (points @ _DIRECTIONS).min(axis=0) / np.linalg.norm(_DIRECTIONS, ord=p, axis=0)


def landing_explorer() -> Explorer:
    """Show which separating line has the widest margin, by the norm in which length is measured."""

    def view(norm: str, turn: int) -> list[Scatter | Lines]:
        angle = np.deg2rad(turn)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        one, other = _ONE @ rotation.T, _OTHER @ rotation.T
        curve = margins(np.vstack([one, -other]), _NORMS[norm])
        best = int(curve.argmax())
        w = _DIRECTIONS[:, best]
        edge = 20 * np.array([[-w[1], w[0]], [w[1], -w[0]]]) / np.linalg.norm(w)
        plane = Scatter(
            points={"one class": one, "the other": other},
            paths={"chosen boundary": edge},
            arrows={"chosen boundary": np.array([[0, 0, *(1.4 * w)]])},
            title="The classifier that training chooses",
            xlabel="first feature",
            ylabel="second feature",
            xlim=(-5.0, 5.0),
            ylim=(-4.2, 4.2),
        )
        shown = slice(None, None, 6)
        lines = Lines(
            series={"margin": np.maximum(curve, -0.5)[shown]},
            x=np.rad2deg(_ANGLES)[shown],
            verticals={"chosen": float(np.rad2deg(_ANGLES[best]))},
            guides={"0": 0.0},
            xlabel="direction of the classifier, degrees",
            ylabel="margin",
            title="The margin of every direction",
            note=f"Largest margin {curve[best]:.2f}, at {np.rad2deg(_ANGLES[best]):.0f}°.",
        )
        return [plane, lines]

    return explore(
        view,
        grid={"norm": list(_NORMS), "turn": [-20, -10, 0, 10, 20]},
        labels={"norm": "Norm p in which steps are steepest", "turn": "Turn the data"},
        units={"turn": "°"},
        formats={"norm": lambda norm: _NAMES.get(norm, norm)},
        default={"norm": "2", "turn": 0},
        live=False,
        title="Many lines separate these points. The norm of the steps picks one",
        alt="Two classes of points in a plane with a separating line that turns as the norm changes, and the margin of "
        "every direction with its maximum marked.",
    )
