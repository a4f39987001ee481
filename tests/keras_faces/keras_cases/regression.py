"""Losses of the residual."""

from keras_cases.data import case, real, steps

CASES = [
    case("mse", "MeanSquaredError", real),
    case("mse steps", "MeanSquaredError", steps),
    case("mae", "MeanAbsoluteError", real),
    case("huber", "Huber", real, delta=0.5),
    case("log cosh", "LogCosh", real),
    case("asymmetric", "AsymmetricMeanSquaredError", real, under=2.0, over=0.5),
]
