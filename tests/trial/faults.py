# ruff: noqa: E501 (a table)
"""The defects that are planted: what stands in a correct loss, and what a hurried hand writes in its place.

A row tells its name, the class of the defect, the rewriting (see `patterns.py`), and the codes that name it rightly.
`silent` marks what is wrong although value and gradient are the same: another device, a second call, a moved module.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    name: str
    defect: str
    before: str
    after: str
    codes: str
    silent: bool = False


WRONG = "LS701 LS208 LS704 LS705"
FINITE = "LS104 LS201 LS202 LS301 LS302 LS307"
SCALE = "LS503 LS505 LS501 LS504 LS616"
MASK = "LS205 LS106 LS504 LS507"
FAULTS = (
    # the formula
    Fault("constant dropped", "wrong formula", "K * A", "A", WRONG),
    Fault("abs dropped", "wrong formula", "A.abs()", "A", WRONG),
    Fault("square dropped", "wrong formula", "A ** 2", "A", WRONG),
    Fault("square dropped, as a method", "wrong formula", "A.pow(2)", "A", WRONG),
    Fault("branches swapped", "wrong formula", "torch.where(A, B, C)", "torch.where(A, C, B)", WRONG),
    Fault("complement dropped", "wrong formula", "1 - A", "A", WRONG),
    Fault("max for min", "wrong formula", "torch.maximum(A, B)", "torch.minimum(A, B)", f"{WRONG} LS105 LS207"),
    Fault("sign flipped", "wrong direction", "return -A", "return A", WRONG),
    Fault("result negated", "wrong direction", "return A.mean()", "return -A.mean()", WRONG),
    Fault("difference turned", "wrong direction", "A - B + C", "B - A + C", WRONG),
    Fault("arguments swapped", "wrong direction", "F.kl_div(A, B, **R)", "F.kl_div(B, A, **R)", f"{WRONG} LS802 LS803 LS107 LS105"),
    # the gradient
    Fault("half of a square detached", "wrong gradient", "A ** 2", "A * A.detach()", "LS101"),
    Fault("complement detached", "wrong gradient", "1 - P", "1 - P.detach()", "LS101 LS105 LS106"),
    Fault("weights under no_grad", "wrong gradient", "P = torch.sigmoid(A)", "P = torch.sigmoid(A).detach()", "LS101 LS105 LS106"),
    Fault("a number returned", "missing gradient", "return A.mean()", "return torch.tensor(A.mean().item())", "LS105 LS804 LS101 LS106"),
    Fault("rebuilt as a tensor", "missing gradient", "return -A.mean()", "return torch.tensor(-float(A.mean()))", "LS105 LS804 LS101 LS106"),
    Fault("hard threshold", "dead gradient", "torch.sigmoid(A)", "(torch.sigmoid(A) > 0.5).float()", "LS105 LS704 LS101 LS106"),
    Fault("rounded", "dead gradient", "return A.mean()", "return A.round().mean()", "LS105 LS704 LS101 LS207"),
    Fault("teacher not detached", "gradient into the target", "A.detach()", "A", "LS107 LS101", silent=True),
    # numbers that are not finite
    Fault("guard dropped", "non-finite value", "A.clamp(B, C)", "A", FINITE),
    Fault("log of a sigmoid", "non-finite value", "F.logsigmoid(A)", "torch.log(torch.sigmoid(A))", FINITE),
    Fault("log of a softmax", "non-finite value", "F.log_softmax(A, dim=1)", "torch.log(F.softmax(A, dim=1))", FINITE),
    Fault("largest not subtracted", "non-finite value", "A - A.amax(dim=1, keepdim=True)", "A", FINITE),
    Fault("eps too small", "non-finite value", "A.clamp(B, C)", "A.clamp(1e-12, 1 - 1e-12)", FINITE),
    Fault("eps dropped below a root", "non-finite gradient", "torch.sqrt(A + B)", "torch.sqrt(A)", f"LS103 {FINITE}"),
    Fault("guard after the root", "non-finite gradient", "torch.sqrt(A + B)", "torch.sqrt(A) + B", f"LS103 {FINITE}"),
    Fault("NaN replaced", "hidden NaN", "torch.sqrt(A + B)", "torch.nan_to_num(torch.sqrt(A))", f"LS103 {FINITE}"),
    Fault("where after the log", "hidden NaN", "A * torch.log(B)", "torch.where(A > 0, torch.log(torch.relu(B - 1e-7)), torch.zeros_like(B))", f"LS103 {FINITE}"),
    Fault("empty mask", "empty batch", "A.sum().clamp(min=1)", "A.sum()", "LS204 LS201"),
    # reduction, masks, weights
    Fault("sum for mean", "wrong reduction", "return A.mean()", "return A.sum()", SCALE),
    Fault("divided by a fixed batch", "batch size hard-coded", "return A.mean()", "return A.sum() / 32", SCALE),
    Fault("divided by rows", "wrong reduction", "return A.mean()", "return A.sum() / A.shape[-1]", SCALE),
    Fault("all entries counted", "mask not removed", "(A * mask).sum() / B", "(A * mask).mean()", f"{MASK} {SCALE}"),
    Fault("mask after the reduction", "mask not removed", "(A * mask).sum() / B", "A.mean() * mask.mean()", f"{MASK} {SCALE}"),
    Fault("mask forgotten", "mask not removed", "(A * mask).sum() / B", "A.mean()", f"{MASK} LS805"),
    Fault("mask in the divisor alone", "mask not removed", "(A * mask).sum() / B", "A.sum() / B", f"{MASK} {SCALE}"),
    Fault("ignore_index forgotten", "ignore-index not removed", "F.cross_entropy(A, B, ignore_index=C, **R)", "F.cross_entropy(A, B, **R)", "LS205 LS805 LS106 LS204"),
    Fault("ignored labels counted", "ignore-index not removed", "A / P.sum().clamp(min=1)", "A / P.numel()", f"LS205 {SCALE}"),
    Fault("weight dropped", "weights ignored", "A * weight", "A", "LS106 LS805 LS404 LS504"),
    Fault("class weight dropped", "weights ignored", "F.cross_entropy(A, B, weight=C, **R)", "F.cross_entropy(A, B, **R)", "LS106 LS805 LS404 LS504"),
    Fault("weight applied twice", "weights applied twice", "A * weight", "A * weight * weight", "LS404 LS504 LS505 LS501"),
    Fault("weight normalised away", "weights ignored", "(A * weight).mean()", "(A.mean() * weight).sum() / weight.sum()", "LS106 LS404 LS504"),
    # shapes, axes, labels
    Fault("outer difference", "silent broadcast", "P - Q", "P[:, None] - Q", "LS401 LS402 LS701 LS502 LS608 LS616"),
    Fault("shape check dropped", "silent broadcast", "assert P.shape == Q.shape", "pass", "LS401 LS402"),
    Fault("softmax over the batch", "wrong axis", "F.log_softmax(A, dim=1)", "F.log_softmax(A, dim=0)", "LS701 LS502 LS506 LS402"),
    Fault("sum over the batch", "wrong axis", "A.sum(dim=1)", "A.sum(dim=0)", "LS701 LS502 LS506 LS402 LS503 LS505 LS616"),
    Fault("labels off by one", "index semantics", "A.gather(1, B)", "A.gather(1, (B + 1) % A.shape[1])", "LS701 LS802"),
    Fault("softmax twice", "logits and probabilities", "F.cross_entropy(P, Q, **R)", "F.cross_entropy(P.softmax(1), Q, **R)", "LS801 LS803 LS701 LS207"),
    Fault("sigmoid twice", "logits and probabilities", "F.binary_cross_entropy_with_logits(A, B, **R)", "F.binary_cross_entropy_with_logits(torch.sigmoid(A), B, **R)", "LS801 LS803 LS701"),
    Fault("sigmoid forgotten", "logits and probabilities", "torch.sigmoid(A)", "A", f"{WRONG} LS803 LS201 LS202 LS106"),
    # precision and dtype
    Fault("reduced in half precision", "low precision", "return A.mean()", "return A.half().mean().float()", "LS305 LS302 LS303 LS201"),
    Fault("float64 constant", "dtype promotion", "return A.mean()", "return (A * torch.ones(1, dtype=torch.float64)).mean()", "LS306", silent=True),
    Fault("a setting ignored", "dead hyper-parameter", "self.gamma", "2.0", "LS805", silent=True),
    Fault("a margin ignored", "dead hyper-parameter", "self.margin - A", "2.0 - A", "LS805", silent=True),
    Fault("smoothing ignored", "dead hyper-parameter", "A / (B + self.smooth)", "A / (B + 1.0)", "LS805", silent=True),
    # what a loss does beside its value
    Fault("buffer not registered", "state not registered", "self.register_buffer('weight', A)", "self.weight = A", "LS604 LS617", silent=True),
    Fault("parameter not registered", "state not registered", "A = nn.Parameter(B)", "A = B.requires_grad_()", "LS604 LS617", silent=True),
    Fault("running mean", "stateful", "return A.mean()", "SEEN.append(float(A.mean()))\nreturn A.mean() / (sum(SEEN) / len(SEEN) + 1e-6)", "LS607 LS101", silent=True),
    Fault("history kept", "memory blow-up", "return A.mean()", "SEEN.append(A)\nreturn A.mean()", "LS606", silent=True),
    Fault("noise from the global generator", "global RNG", "return A.mean()", "return (A + 0.01 * torch.randn_like(A)).mean()", "LS607", silent=True),
    Fault("noise from numpy", "global RNG", "return A.mean()", "return A.mean() * float(numpy.random.uniform(0.9, 1.1))", "LS607", silent=True),
    Fault("target smoothed in place", "input mutation", "assert P.shape == Q.shape", "Q.mul_(0.9).add_(0.05)", "LS605", silent=True),
    Fault("difference in place", "in-place autograd", "P - Q", "P.sub_(Q)", "LS605 LS101", silent=True),
    Fault("constant on the GPU", "device hard-coded", "return A.mean()", "return A.mean() * torch.ones((), device='cuda')", "LS603", silent=True),
    Fault("constant on the CPU", "device hard-coded", "torch.arange(A, device=B)", "torch.arange(A)", "LS603", silent=True),
    Fault("mask on the CPU", "device hard-coded", "torch.eye(A, dtype=B, device=C)", "torch.eye(A, dtype=B)", "LS603", silent=True),
    Fault("batch of six", "batch size hard-coded", "A.shape[0]", "6", "LS616 LS503", silent=True),
    Fault("read in a loop", "host sync", "return A.mean()", "return A.mean() * (1 if all(x.item() < 1e6 for x in A.flatten()) else 0)", "LS601", silent=True),
    Fault("read once", "host sync", "return A.mean()", "return A.mean() if A.max().item() < 1e6 else A.mean() * 0", "LS601", silent=True),
    Fault("all pairs made", "memory blow-up", "return A.mean()", "return (A.flatten()[:, None] + A.flatten()).mean() / 2", "LS608", silent=True),
)  # fmt: skip
