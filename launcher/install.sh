# Read by bin/crosscheck to make the program of this plugin's version: from a release whose checksum this plugin knows, or
# else from the source beside this file, with cargo.
#
# One installer works at a time. What it does is in `install/step` and `install/log` of the plugin's data, and why it
# failed in `install/failed`. It writes nowhere else, and the program appears whole or not at all.

# Minutes after which a failed installation is tried again by itself.
again_min=15

# Says what is being done.
step() {
    printf '%s\n' "$1" >"$place/step"
    printf '== %s\n' "$1" >>"$place/log"
    [ -t 2 ] && say "$1"
    return 0
}

# Ends without a program. $1 says why, and $2 the one thing to do.
fail() {
    printf '%s; %s\n' "$1" "$2" >"$place/failed"
    printf '== %s; %s\n' "$1" "$2" >>"$place/log"
    say "$1; $2"
    release_lock
    exit 1
}

release_lock() {
    rm -f "$place/lock" "$place/new"
}

# The lock is a link that leads to the number of its holder: it is made, and says who made it, in one step.

# Tells whether an installer is at work, and sets `holder`.
is_locked() {
    holder=$(readlink "$place/lock") && kill -0 "$holder" 2>/dev/null
}

# Takes the lock, also from an installer that is gone.
take_lock() {
    ln -s "$$" "$place/lock" 2>/dev/null && return
    is_locked && return 1
    # Another one may take it over at the same time, and what is moved is then its lock and not the one that was left.
    mv -f "$place/lock" "$place/lock.$$" 2>/dev/null
    if [ "$(readlink "$place/lock.$$")" = "$holder" ]; then
        rm -f "$place/lock.$$"
        ln -s "$$" "$place/lock" 2>/dev/null
    else
        mv -f "$place/lock.$$" "$place/lock" 2>/dev/null
        return 1
    fi
}

# Puts the file $1 in its place if it is the program that it should be.
put_in_place() {
    chmod 755 "$1" || return
    case $("$1" --version 2>>"$place/log" </dev/null) in
        "$name $version" | "$name $version
"*) ;;
        *)
            printf '%s is not version %s\n' "$1" "$version" >>"$place/log"
            return 1
            ;;
    esac
    mkdir -p "$data/bin/$version-$interface" && mv -f "$1" "$data/bin/$version-$interface/$name"
}

# The platform, as releases name it; nothing where there are none.
platform() {
    case $(uname -s)-$(uname -m) in
        Linux-x86_64) echo x86_64-unknown-linux-musl ;;
        Linux-aarch64 | Linux-arm64) echo aarch64-unknown-linux-musl ;;
        Darwin-arm64) echo aarch64-apple-darwin ;;
        Darwin-x86_64) echo x86_64-apple-darwin ;;
    esac
}

checksum_of() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum <"$1" | cut -d ' ' -f 1
    else
        shasum -a 256 <"$1" | cut -d ' ' -f 1
    fi
}

fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --connect-timeout 10 --max-time 300 -o "$2" "$1"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -T 300 -O "$2" "$1"
    else
        printf 'neither curl nor wget is there\n'
        return 1
    fi
}

# Gets the program from a release. The checksums came with the plugin, so a file that was changed on its way is refused.
from_release() {
    asset=$name-$version-$(platform)
    expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $asset\$/\1/p" "$root/launcher/SHA256SUMS" 2>/dev/null)
    [ -n "$expected" ] || return
    from=${CROSSCHECK_RELEASES-}
    [ -n "$from" ] || from=$(sed -n 's/^repository = "\(.*\)\.git"$/\1\/releases\/download\/v'"$version"'/p' "$root/Cargo.toml")
    step "getting $asset"
    fetch "$from/$asset" "$place/new" >>"$place/log" 2>&1 || return
    found_sum=$(checksum_of "$place/new")
    if [ "$found_sum" != "$expected" ]; then
        step "refused $asset: its checksum is $found_sum and not $expected"
        rm -f "$place/new"
        return 1
    fi
    put_in_place "$place/new"
}

# Builds the program. The target directory is deleted afterwards: it is a hundred times as large as the program.
from_source() {
    step "building the program with $cargo"
    CARGO_TERM_COLOR=never "$cargo" build --release --locked --manifest-path "$root/Cargo.toml" --bin "$name" \
        --target-dir "$place/target" >>"$place/log" 2>&1 || return
    cp "$place/target/release/$name" "$place/new" >>"$place/log" 2>&1 || return
    rm -rf "$place/target"
    put_in_place "$place/new"
}

# Says in a line why cargo failed: by the last line that it calls an error, since what follows may be a cause without its subject.
why_not_built() {
    told=$(grep '^error' "$place/log" | tail -n 1)
    [ -n "$told" ] || told=$(tail -n 1 "$place/log")
    printf '%s' "$told" | cut -c 1-200
}

# Deletes what is older than the program and the one before it.
clear_old() {
    kept=
    for old in "$data/bin/"*; do
        [ -d "$old" ] && ! [ "$old" -ef "$data/bin/$version-$interface" ] || continue
        if [ -z "$kept" ]; then
            kept=$old
        elif [ "$old" -nt "$kept" ]; then
            rm -rf "$kept"
            kept=$old
        else
            rm -rf "$old"
        fi
    done
}

# Makes the program; returns when it is there, and ends the process with 1 otherwise. $1 is `--background` when nobody asked.
install_program() {
    if [ -z "$data" ]; then
        say "this is no installed plugin; run this instead: cargo install --locked --path \"$root\""
        exit 1
    fi
    place=$data/install
    umask 077
    mkdir -p "$place" || exit 1
    try "$data/bin/$version-$interface/$name" && return
    # A person who asks for it is not made to wait for the next try, but for an installer that is at work.
    if [ "$1" = --background ] && [ -n "$(find "$place/failed" -mmin "-$again_min" 2>/dev/null)" ] &&
        ! grep -q '^cargo is missing' "$place/failed"; then
        exit 1
    fi
    if ! take_lock; then
        [ "$1" = --background ] && exit 1
        say 'another installation is under way; waiting for it'
        while is_locked; do sleep 1; done
        try "$data/bin/$version-$interface/$name" && return
        say "it did not succeed: see $place/log"
        exit 1
    fi
    trap release_lock EXIT
    : >"$place/log"
    if ! from_release; then
        # Cargo takes settings, programs to run among them, from the folder it is started in and from those above: those of
        # this plugin, and not of the project that the host works in.
        cd "$root" || exit 1
        # That of rustup before one of the system, which is often too old.
        cargo=$cargo_home/bin/cargo
        [ -n "$cargo_home" ] && [ -x "$cargo" ] || cargo=$(command -v cargo)
        case $cargo in /*) ;; *) cargo= ;; esac
        [ -x "$cargo" ] ||
            fail 'cargo is missing, and there is no release for this machine' \
                'install Rust (https://rustup.rs) and begin a new session'
        from_source ||
            fail "the program could not be built: $(why_not_built)" \
                "see $place/log; then run in a terminal: sh \"$self\" install"
    fi
    rm -f "$place/failed"
    step 'installed'
    clear_old
    release_lock
}
