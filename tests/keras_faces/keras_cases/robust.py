"""Losses that forgive outliers."""

from keras_cases.data import case, real, steps

CASES = [
    case("smooth l1", "SmoothL1", real, beta=0.5),
    case("charbonnier", "Charbonnier", real, scale=0.5),
    case("cauchy", "Cauchy", real, scale=2.0),
    case("welsch", "Welsch", real, scale=2.0),
    case("geman mcclure", "GemanMcClure", real, scale=2.0),
    case("tukey", "Tukey", real),
    case("general robust", "GeneralRobust", steps, alpha=[2.0, 0.5, -2.0], scale=2.0),
    case("adaptive robust", "AdaptiveRobust", real, alpha=0.5),
]
