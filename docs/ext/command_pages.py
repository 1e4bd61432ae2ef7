"""The page of the command line, from the command itself."""

import typer

from netlib.cli import app


def pages() -> dict[str, str]:
    """Text of the page ``commands``."""
    program = typer.main.get_command(app)
    lines = [
        "# The command `netlib`",
        "",
        "`netlib --help` and `netlib COMMAND --help` say the same in the shell; "
        "`netlib --install-completion` has the shell complete commands and options.",
        "",
    ]
    for name, command in program.commands.items():
        lines += _command(f"netlib {name}", command, 2)
    return {"commands": "\n".join(lines)}


def _command(name, command, level: int) -> list[str]:
    inside = getattr(command, "commands", {})
    lines = [f"{'#' * level} {name}", "", _text(command.help), ""]
    rows = [_row(parameter) for parameter in command.params if getattr(parameter, "name", "") != "help"]
    if rows and not inside:
        lines += ["| option | default | meaning |", "|---|---|---|", *rows, ""]
    for child, under in inside.items():
        lines += _command(f"{name} {child}", under, level + 1)
    return lines


def _row(parameter) -> str:
    option = parameter.param_type_name == "option"
    names = " ".join(f"`{name}`" for name in parameter.opts) if option else f"`{parameter.name.upper()}`"
    default = parameter.default
    hidden = default in (None, False, "", ()) or callable(default) or getattr(parameter, "show_default", True) is False
    shown = "" if hidden else f"`{default}`"
    if not option and parameter.required:
        shown = "required"
    return f"| {names} | {shown} | {_text(parameter.help)} |"


def _text(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")
