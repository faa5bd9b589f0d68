"""The build backend: setuptools, with the page built first.

Every hook is setuptools' own but for two things: the page stands before anything is packed, and Node is asked of pip
when the page is yet to be built. An sdist carries the built page, so what is built from it needs no Node.
"""

from __future__ import annotations

import shutil
import sys
from typing import Any

import agnez_page
from setuptools import build_meta

prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable

Settings = dict[str, Any] | None  # what a front end like pip passes on, `--config-settings`


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Return what a wheel needs to be built, beyond pyproject.toml."""
    return build_meta.get_requires_for_build_wheel(config_settings) + _node()


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """Return what an editable install needs, beyond pyproject.toml."""
    return build_meta.get_requires_for_build_editable(config_settings) + _node()


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    """Return what an sdist needs to be built, beyond pyproject.toml."""
    return build_meta.get_requires_for_build_sdist(config_settings) + _node()


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build a wheel and return its name."""
    _build_page()
    shutil.rmtree(agnez_page.ROOT / "build", ignore_errors=True)  # setuptools packs what an earlier build left there
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel of an editable install and return its name."""
    _build_page()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Build an sdist, page included, and return its name."""
    _build_page()
    return build_meta.build_sdist(sdist_directory, config_settings)


def _node() -> list[str]:
    return [] if agnez_page.is_built() else [agnez_page.NODE_REQUIREMENT]


def _build_page() -> None:
    try:
        agnez_page.build()
    except agnez_page.PageError as error:
        sys.exit(f"agnez: {error}")  # the sentence is enough: the traceback of a hook would bury it


if __name__ == "__main__":
    agnez_page.main()
