"""What a setting that is wrong raises: who catches it need not load what reads settings."""


class SettingsError(ValueError):
    """A setting is wrong: the message names the variable, its value and what is allowed."""
