"""Policy bundles on disk: one directory of TOML files per place. It reads; risk/policy.py judges."""

from pathlib import Path

from risk.policy import PolicyError


def read_policy_dir(path: str | Path) -> dict[str, str]:
    """File name -> text of a bundle. Hidden files and README.md are not part of it; anything else must be TOML."""
    directory = Path(path)
    if not directory.is_dir():
        raise PolicyError(f"{directory} is no directory. A policy is a directory of TOML files. Name one that exists.")
    files, problems = {}, []
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith(".") or entry.name == "README.md":
            continue
        if entry.suffix != ".toml" or not entry.is_file():
            problems.append(f"{entry.name} is no TOML file. What is not read is easily believed. Remove or rename it.")
            continue
        try:
            files[entry.name] = entry.read_bytes().decode("utf-8-sig")  # Windows editors put a mark in front
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{entry.name} cannot be read: {error}. It must be UTF-8 text. Save it so.")
    if problems:
        raise PolicyError(*problems)
    return files
