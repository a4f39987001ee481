"""One rule a file, documentation first. The order is the order in which findings are read."""

from importlib import import_module
from typing import Any

from lossmith.errors import SettingError, message

# LS1 gradient, LS2 domain, LS3 precision, LS4 shape, LS5 reduction, LS6 engineering, LS7 mathematics, LS8 interface.
_FILES = (
    "ls101_wrong_gradient",
    "ls102_ignores_grad_output",
    "ls103_dead_branch_nan",
    "ls104_nan_at_perfect_prediction",
    "ls105_no_usable_gradient",
    "ls106_input_without_effect",
    "ls107_gradient_leaks_into_target",
    "ls108_not_a_subgradient",
    "ls109_double_backward_broken",
    "ls201_non_finite_value",
    "ls202_nan_gradient_finite_value",
    "ls204_empty_selection_nan",
    "ls205_masked_element_leaks",
    "ls207_clamp_dead_zone",
    "ls208_unbounded_below",
    "ls209_hyperparameter_cliff",
    "ls301_unrepresentable_constant",
    "ls302_half_overflow",
    "ls303_inaccurate_value",
    "ls305_low_precision_reduction",
    "ls306_dtype_promotion",
    "ls307_naive_composition",
    "ls401_silent_broadcast",
    "ls402_batch_of_one",
    "ls403_layout_dependent",
    "ls404_weight_or_mask_rank",
    "ls501_micro_batch_not_additive",
    "ls503_size_dependent_scale",
    "ls504_weight_cancels",
    "ls505_reduction_contract",
    "ls506_order_dependent",
    "ls601_host_sync",
    "ls603_hard_coded_device",
    "ls604_unregistered_tensor",
    "ls605_mutates_input",
    "ls606_retains_memory",
    "ls607_hidden_state_or_rng",
    "ls608_superlinear_memory",
    "ls701_perfect_prediction_not_optimal",
    "ls702_improper",
    "ls703_not_classification_calibrated",
    "ls704_discontinuous",
    "ls705_unintended_kink",
    "ls706_vanishing_when_wrong",
    "ls707_exploding_zone",
    "ls801_double_activation",
    "ls802_argument_order",
    "ls803_accepts_logits_and_probs",
    "ls804_return_type",
    "ls805_hyperparameter_without_effect",
    "ls806_reference_mismatch",
)
# What the parent process sees when a child does not come back; there is nothing to run for these.
PROCESS_CODES = {
    "LS613": "does-not-finish",
    "LS614": "ends-the-process",
    "LS615": "exhausts-memory",
}


def all_rules() -> dict[str, Any]:
    """Every rule module by its code."""
    modules = [import_module(f"{__name__}.{file}") for file in _FILES]
    return {module.CODE: module for module in modules}


def known_codes() -> dict[str, str]:
    """Every code with its name, without importing a framework."""
    return {_code(file): _name(file) for file in _FILES} | PROCESS_CODES


def _code(file: str) -> str:
    return file.partition("_")[0].upper()


def _name(file: str) -> str:
    return file.partition("_")[2].replace("_", "-")


def rule_file(code: str) -> str:
    """The module of a rule. Raises `SettingError` for a code that does not exist."""
    for file in _FILES:
        if _code(file) == code.upper():
            return f"{__name__}.{file}"
    raise SettingError(message(f"{code!r} is no rule", {"rules": ", ".join(known_codes())}))
