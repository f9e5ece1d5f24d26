"""What a pack's templates of tenants and of configurations may say."""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Union

from pydantic import Field, field_validator, model_validator

from ._pack_models import Model
from .exceptions import ConfigurationError
from .utils import ConfigUtils


class Tier(Model):
    """What a tier gives: features that are on, limits (a number, or text with a unit such as ``100GB``)."""

    features: List[str] = Field(default_factory=list)
    limits: Dict[str, Union[int, float, str]] = Field(default_factory=dict)

    @field_validator("limits")
    @classmethod
    def _quantities(cls, limits: Dict[str, Union[int, float, str]]) -> Dict[str, Union[int, float, str]]:
        try:
            ConfigUtils.parse_limits(limits)
        except ConfigurationError as error:
            raise ValueError(error.message) from error
        return limits


class TenantTemplate(Model):
    """``tenant_template.json``: what a new tenant is before anything is said of it."""

    default_tier: str
    tiers: Dict[str, Tier] = Field(min_length=1)
    labels: Dict[str, str] = Field(default_factory=dict)
    isolation: Literal["schema", "row", "database"] = "schema"

    @model_validator(mode="after")
    def _default_exists(self) -> TenantTemplate:
        if self.default_tier not in self.tiers:
            raise ValueError(f"default_tier {self.default_tier!r} is not among the tiers")
        return self


class ConfigTemplate(Model):
    """``config_template.json``: the configuration of a new tenant; a tier's part is merged over the defaults."""

    defaults: Dict[str, Any]
    tiers: Dict[str, Dict[str, Any]] = Field(default_factory=dict)
