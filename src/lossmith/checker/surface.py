"""The loss over two predictions: value and slopes on a grid, its lowest point, and where the prediction is perfect."""

import torch

from lossmith.checker.curve import samples
from lossmith.checker.lines import plane
from lossmith.checker.many import at_many
from lossmith.checker.picture import Surface
from lossmith.checker.subject import Subject

POINTS = 41


def surface_of(
    subject: Subject,
    span: tuple[float, float] | None = None,
    points: int = POINTS,
    dtype: torch.dtype = torch.float32,
) -> Surface | None:
    """The surface, or None where two predictions do not make a plane (embeddings)."""
    contract = subject.contract
    rows = 1 if contract.target_kind() == "index" or "boxes" in contract.kinds() else 2
    path = plane(contract, samples(subject, rows))
    if path is None:
        return None
    low, high = span or path.span
    axis = torch.linspace(low, high, points, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    (move,) = path.moves.values()
    made = at_many(subject, move, (x.flatten(), y.flatten()), dtype=dtype)
    value = made.value.reshape(points, points)
    return Surface(
        path.names[0],
        path.names[1],
        axis.tolist(),
        axis.tolist(),
        value.tolist(),
        made.slopes[0].reshape(points, points).tolist(),
        made.slopes[1].reshape(points, points).tolist(),
        _lowest(x, y, value),
        [place for place in path.target if low <= place <= high] if _inside(path.target, low, high) else [],
    )


def _inside(target: tuple[float, ...], low: float, high: float) -> bool:
    return bool(target) and all(low <= place <= high for place in target)


def _lowest(x: torch.Tensor, y: torch.Tensor, value: torch.Tensor) -> list[float]:
    finite = torch.where(value.isfinite(), value, torch.inf).flatten()
    if not bool(finite.isfinite().any()):
        return []
    where = int(finite.argmin())
    return [float(x.flatten()[where]), float(y.flatten()[where]), float(finite[where])]
