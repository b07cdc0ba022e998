# To be sourced by scripts that need packages from PyPI: what they all do to have them.

say() { printf '%s\n' "$*"; }
fail() {
    say "$script: $*" >&2
    exit 1
}

# python3 with venv: Debian has them in packages of their own.
python_is_enough() { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
need_python() {
    python_is_enough && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq python3 python3-venv || fail "apt-get could not install python3-venv"
    fi
    python_is_enough || fail "needs python3, 3.10 or later, with venv and ensurepip (on Debian: apt-get install python3-venv)"
}

# Whether what was installed for a list of versions can be used again.
is_installed() { cmp -s "$1" "$2/installed" && "$3" --version >/dev/null 2>&1; }

# Installs what a list of versions names into an environment of its own, unless a run before did.
install_python() {
    local versions=$1 venv=$2
    if ! is_installed "$versions" "$venv" "$venv/bin/python"; then
        say "installing what $versions names"
        need_python
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$versions"
        cp "$versions" "$venv/installed"
    fi
    export PYTHONDONTWRITEBYTECODE=1
}
