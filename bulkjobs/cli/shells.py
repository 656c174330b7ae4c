"""How bash, zsh and fish ask for completions, and how they are answered.

click's own scripts and formats, mended where the real shells (``tests/cli/test_completion.py``) showed faults: a value
after ``--option=`` was lost in bash and fish and replaced the option in zsh, fish cut descriptions at commas and
sorted runs by name, zsh needed ``compinit`` to have run.
"""

from __future__ import annotations

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

VARIABLE = "_BULKJOBS_COMPLETE"
"""What a script sets when it asks."""

_BASH = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$(printf '%%q' "$value")") ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1" 2> /dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a completions described response
    local type key descr
    (( ! $+commands[%(prog_name)s] )) && return 1

    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete \
%(prog_name)s 2> /dev/null)}")
    compset -P '--*='

    for type key descr in ${response}; do
        if [[ "$type" == "plain" ]]; then
            if [[ "$descr" == "_" ]]; then
                completions+=("$key")
            else
                described+=("$key":"$descr")
            fi
        elif [[ "$type" == "dir" ]]; then
            _path_files -/
        elif [[ "$type" == "file" ]]; then
            _path_files -f
        fi
    done

    (( $#described )) && _describe -V unsorted described -U -i "$IPREFIX"
    (( $#completions )) && compadd -U -i "$IPREFIX" -V unsorted -a completions
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp | string collect) \
COMP_CWORD=(commandline -ct) %(prog_name)s 2> /dev/null)
    set -l option (string match --regex -- '^--[^=]*=' (commandline -ct))
    set -q option[1]; or set option ''
    set -l word (string replace --regex -- '^--[^=]*=' '' (commandline -ct))

    for completion in $response
        set -l metadata (string split --max 1 "," $completion)
        switch $metadata[1]
            case dir
                printf '%%s\\n' $option(__fish_complete_directories $word)
            case file
                printf '%%s\\n' $option(complete --do-complete "'' $word")
            case plain
                printf '%%s\\n' $option$metadata[2]
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Bash(BashComplete):
    source_template = _BASH

    def source(self) -> str:
        # Of the base class: bash's own asks the bash that it finds for its version, which need not be the one that runs
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        """For bash a ``=`` is a word of its own: ``--layout = jo``."""
        words, incomplete = super().get_completion_args()
        if incomplete == "=" and words and words[-1].startswith("--"):
            incomplete = ""
        args: list[str] = []
        for place, word in enumerate(words):
            if not (word == "=" and place and words[place - 1].startswith("--")):
                args.append(word)
        return args, incomplete


class _Zsh(ZshComplete):
    source_template = _ZSH


class _Fish(FishComplete):
    source_template = _FISH

    def format_completion(self, item: CompletionItem[str]) -> str:
        """As the script above reads it; click's own form differs between its releases."""
        help_ = " ".join((item.help or "").split())
        return f"{item.type},{item.value}" + (f"\t{help_}" if help_ else "")


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def answer_shells() -> None:
    """Let click answer with these. To be called where ``VARIABLE`` is set."""
    for name, kind in _SHELLS.items():
        add_completion_class(kind, name)


def script(shell: str) -> str:
    """What a shell reads once, so that it asks from then on."""
    from bulkjobs.cli.main import cli  # noqa: PLC0415  # which imports this

    return _SHELLS[shell](cli, {}, "bulkjobs", VARIABLE).source()
