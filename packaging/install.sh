#!/bin/sh
# Installs opperlite from an archive on this machine. Nothing is fetched.
#
# PREFIX/lib/opperlite has a folder for each build and the link `current`; PREFIX/bin/opperlite leads through it. A build
# is unpacked beside its place and renamed when it is whole, so that a kill or a full disk leaves what was there before.
set -eu
umask 022

usage() {
    cat <<'END'
Usage: install.sh [--prefix DIR] [ARCHIVE]        install, and use from now on
       install.sh [--prefix DIR] --list           the installed builds; * is in use
       install.sh [--prefix DIR] --use BUILD      use another installed build
       install.sh [--prefix DIR] --uninstall [BUILD]
                                                  remove one build that is not in use, or everything

ARCHIVE is opperlite-VERSION-SYSTEM-PROCESSOR.tar.gz, by default the only one beside this script. It is checked against
the file SHA256SUMS that lies beside it. DIR is /usr/local for root and ~/.local for anybody else. BUILD is a name that
--list shows, or its beginning. Data folders are never touched.

Ends with 0 when done, 1 when it failed and nothing has changed, 2 when the call is wrong.
END
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# ------------------------------------------------------------------------------------------------------ places

set_places() {
    if [ -z "$prefix" ]; then
        if [ "$(id -u)" = 0 ]; then
            prefix=/usr/local
        else
            prefix=${HOME:?install.sh: HOME is not set: say where with --prefix DIR}/.local
        fi
    fi
    case $prefix in
        /*) ;;
        *) prefix=$PWD/$prefix ;;
    esac
    builds=$prefix/lib/opperlite
    link=$prefix/bin/opperlite
    through=../lib/opperlite/current/opperlite
    manual=$prefix/share/man/man1/opperlite.1
    bash_completion=$prefix/share/bash-completion/completions/opperlite
    zsh_completion=$prefix/share/zsh/site-functions/_opperlite
    fish_completion=$prefix/share/fish/vendor_completions.d/opperlite.fish
}

make_folders() {
    for folder in "$builds" "$prefix/bin" "${manual%/*}" "${bash_completion%/*}" "${zsh_completion%/*}" \
        "${fish_completion%/*}"; do
        mkdir -p -- "$folder" 2>/dev/null ||
            fail "$folder cannot be made: run this as a user who may write there, or name another place with --prefix"
        [ -w "$folder" ] ||
            fail "$folder cannot be written: run this as a user who may, or name another place with --prefix"
    done
}

# Take away what a killed run of this script left; the name ends with its process id.
sweep() {
    for left in "$builds"/.new-* "$builds"/.current-*; do
        [ -e "$left" ] || [ -L "$left" ] || continue
        kill -0 "${left##*-}" 2>/dev/null || rm -rf -- "$left"
    done
}

# ------------------------------------------------------------------------------------------------------ archive

the_archive_beside() {
    found=
    for candidate in "$(dirname -- "$0")"/opperlite-*.tar.gz; do
        [ -f "$candidate" ] || continue
        [ -z "$found" ] || fail "there is more than one archive beside this script: name the one to install" 2
        found=$candidate
    done
    [ -n "$found" ] || fail "there is no archive beside this script: name the one to install" 2
    printf '%s\n' "$found"
}

digest_of() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum <"$1"
    elif command -v shasum >/dev/null 2>&1; then
        shasum -a 256 <"$1"
    elif command -v openssl >/dev/null 2>&1; then
        openssl dgst -sha256 -r <"$1"
    else
        fail "there is none of sha256sum, shasum and openssl here to check the archive with"
    fi
}

# Sets `digest`; ends the script when the archive is not the one that SHA256SUMS names.
check() {
    name=${archive##*/}
    case $archive in
        */*) sums=${archive%/*}/SHA256SUMS ;;
        *) sums=SHA256SUMS ;;
    esac
    [ -f "$archive" ] || fail "there is no file $archive"
    [ -r "$archive" ] || fail "$archive cannot be read by this user"
    [ -f "$sums" ] || fail "$sums is missing: copy it along with the archive, which is checked against it"
    wanted=
    while read -r sum named || [ -n "$sum" ]; do
        [ "${named#\*}" = "$name" ] && wanted=$sum
    done <"$sums"
    [ -n "$wanted" ] || fail "$sums does not name $name: take the two from the same release"
    digest=$(digest_of "$archive")
    digest=${digest%% *}
    [ "$digest" = "$wanted" ] || fail "$name is damaged, or another one than SHA256SUMS names: copy it again"
}

# ------------------------------------------------------------------------------------------------------ install

install() {
    check
    set_places
    if [ -e "$link" ] || [ -L "$link" ]; then
        [ "$(readlink -- "$link" 2>/dev/null)" = "$through" ] ||
            fail "$link is there already and not from this script: remove it, or name another place with --prefix"
    fi
    make_folders
    sweep
    fresh=$builds/.new-$$
    trap 'rm -rf -- "$fresh"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir -- "$fresh"
    tar -xzf "$archive" -C "$fresh" 2>"$fresh/.said" ||
        fail "$name could not be unpacked in $builds: $(head -n 1 "$fresh/.said")"
    program=
    for candidate in "$fresh"/*/opperlite; do
        [ -f "$candidate" ] && program=$candidate
    done
    [ -n "$program" ] || fail "$name holds no opperlite: take the archive of a folder build"
    said=$("$program" --version 2>&1) || fail "this system cannot run $name: $(printf '%s' "$said" | head -n 1)"
    version=${said#opperlite }
    build=$version-$(printf '%.12s' "$digest")
    if [ -d "$builds/$build" ]; then
        told="was installed already"
    else
        mv -- "${program%/*}" "$builds/$build"
        told="is installed"
    fi
    use "$build"
    printf 'opperlite %s %s: %s\n' "$version" "$told" "$link"
    case :$PATH: in
        *":$prefix/bin:"*) ;;
        *) printf 'Add %s to your PATH.\n' "$prefix/bin" ;;
    esac
}

# Lead `current` to a build, in one step where this system can, and renew what is made by it.
use() {
    ln -s -- "$1" "$builds/.current-$$"
    mv -fT -- "$builds/.current-$$" "$builds/current" 2>/dev/null ||
        mv -fh -- "$builds/.current-$$" "$builds/current" 2>/dev/null ||
        { rm -f -- "$builds/.current-$$" && ln -sfn -- "$1" "$builds/current"; }
    [ -L "$link" ] || ln -s -- "$through" "$link"
    print_to "$manual" man
    print_to "$bash_completion" completion bash
    print_to "$zsh_completion" completion zsh
    print_to "$fish_completion" completion fish
}

print_to() {
    target=$1
    shift
    if "$builds/current/opperlite" "$@" >"$target.new-$$" 2>/dev/null; then
        mv -f -- "$target.new-$$" "$target"
    else
        rm -f -- "$target" "$target.new-$$"
        printf 'install.sh: this opperlite does not know "%s", so there is no %s\n' "$*" "$target" >&2
    fi
}

# ------------------------------------------------------------------------------------------------ what is there

current() {
    readlink -- "$builds/current" 2>/dev/null || :
}

list() {
    set_places
    for folder in "$builds"/*/; do
        folder=${folder%/}
        [ -L "$folder" ] || [ ! -d "$folder" ] && continue
        mark=' '
        [ "${folder##*/}" = "$(current)" ] && mark='*'
        printf '%s %s\n' "$mark" "${folder##*/}"
    done
}

# The one installed build whose name begins so.
chosen() {
    found=
    for folder in "$builds/$1"*/; do
        folder=${folder%/}
        [ -L "$folder" ] || [ ! -d "$folder" ] && continue
        [ "${folder##*/}" = "$1" ] && found=$folder && break
        [ -z "$found" ] || fail "more than one installed build begins with $1: --list shows them" 2
        found=$folder
    done
    [ -n "$found" ] || fail "no build that begins with $1 is installed in $builds: --list shows them" 2
    printf '%s\n' "${found##*/}"
}

switch() {
    set_places
    build=$(chosen "$1")
    make_folders
    use "$build"
    printf 'opperlite is now %s.\n' "$build"
}

uninstall() {
    set_places
    if [ -n "$1" ]; then
        build=$(chosen "$1")
        [ "$build" != "$(current)" ] || fail "$build is in use: choose another one with --use first, or name none"
        mv -- "$builds/$build" "$builds/.new-$$"
        rm -rf -- "$builds/.new-$$"
        printf '%s is removed.\n' "$build"
        return
    fi
    [ -d "$builds" ] || fail "there is no opperlite in $prefix"
    if [ "$(readlink -- "$link" 2>/dev/null)" = "$through" ]; then
        rm -f -- "$link"
    fi
    rm -f -- "$manual" "$bash_completion" "$zsh_completion" "$fish_completion"
    rm -rf -- "$builds"
    printf 'opperlite is removed from %s. Data folders stay.\n' "$prefix"
}

# --------------------------------------------------------------------------------------------------- the call

prefix='' action=install given=''
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            [ -n "${2-}" ] || fail "--prefix needs a folder" 2
            prefix=$2
            shift
            ;;
        --prefix=?*) prefix=${1#--prefix=} ;;
        --list) action=list ;;
        --use) action=switch ;;
        --uninstall) action=uninstall ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*) fail "there is no option $1: --help shows all" 2 ;;
        *)
            [ -z "$given" ] || fail "one name is enough: $1 is too much" 2
            given=$1
            ;;
    esac
    shift
done

case $action in
    install)
        archive=${given:-$(the_archive_beside)}
        install
        ;;
    list) list ;;
    switch)
        [ -n "$given" ] || fail "--use needs a build: --list shows them" 2
        switch "$given"
        ;;
    uninstall) uninstall "$given" ;;
esac
