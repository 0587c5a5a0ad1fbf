"""Prints a command block of a Markdown file by its name, so that what the documentation says is what gets run.

    python3 block.py readme_wercker.md NAME     the commands of the fenced block that follows `<!-- run: NAME -->`
    python3 block.py readme_wercker.md          the names of all blocks

A block without such a comment is not meant to be run, and a test asks that there is none in readme_wercker.md.
"""

import re
import sys
from pathlib import Path

NAMED_BLOCK = re.compile(r"<!-- run: ([a-z0-9-]+) -->\n+```sh\n(.*?)\n```", re.DOTALL)


def read_blocks(text: str) -> dict[str, str]:
    """Return the named command blocks of a Markdown text. Raises: ValueError when two share a name."""
    blocks: dict[str, str] = {}
    for name, commands in NAMED_BLOCK.findall(text):
        if name in blocks:
            raise ValueError(f"two blocks are named {name}")
        blocks[name] = commands
    return blocks


def main() -> int:
    """Print what was asked for; return the exit status."""
    file, *names = sys.argv[1:]
    blocks = read_blocks(Path(file).read_text(encoding="utf-8"))
    if not names:
        print("\n".join(blocks))
        return 0
    for name in names:
        if name not in blocks:
            print(f"error: {file} has no command block named {name}; it has: {', '.join(blocks)}", file=sys.stderr)
            return 1
        print(blocks[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
