#!/usr/bin/env bash
# Makes images under the names that the Dockerfile and the compose files use, where no registry can be reached: from Debian's
# packages, with mmdebstrap. Images that are there already are left alone.
#
#   docker/stand-ins.sh            debian:bookworm-slim and eclipse-mosquitto:2
#   docker/stand-ins.sh --rust     and rust:1-bookworm, with the toolchain of this machine (for the target `product`)
set -euo pipefail

is_there() { docker image inspect "$1" > /dev/null 2>&1; }
step() { echo "making $1: no registry is asked" >&2; }

need() {
    command -v "$1" > /dev/null && return
    echo "$1 is missing; installing with apt: apt-get install -y --no-install-recommends $1" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" > /dev/null
}

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

if ! is_there debian:bookworm-slim; then
    step debian:bookworm-slim
    need mmdebstrap
    base=$work/base
    mmdebstrap --quiet --variant=apt --include=ca-certificates \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$base"
    # What this machine trusts beside the usual, its containers trust as well.
    cp /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
    cp /usr/local/share/ca-certificates/*.crt "$base/usr/local/share/ca-certificates/" 2> /dev/null || true
    printf '%s\n' 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };' \
        'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";' > "$base/etc/apt/apt.conf.d/docker-clean"
    tar -C "$base" --exclude=./dev/\* -cf "$work/base.tar" .
    docker import \
        --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt' \
        --change 'CMD ["bash"]' "$work/base.tar" debian:bookworm-slim > /dev/null
fi

if ! is_there eclipse-mosquitto:2; then
    step eclipse-mosquitto:2
    mkdir "$work/broker"
    cat > "$work/broker/Dockerfile" << 'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends mosquitto mosquitto-clients && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /mosquitto/config /mosquitto/data /mosquitto/log && chown -R mosquitto:mosquitto /mosquitto
EXPOSE 1883
CMD ["mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]
DOCKERFILE
    docker build --quiet -t eclipse-mosquitto:2 "$work/broker" > /dev/null
fi

if [ "${1:-}" = --rust ] && ! is_there rust:1-bookworm; then
    step rust:1-bookworm
    mkdir "$work/rust"
    cat > "$work/rust/Dockerfile" << 'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev git && rm -rf /var/lib/apt/lists/*
ENV PATH=/rust/bin:$PATH
COPY rust /rust
DOCKERFILE
    toolchain=$(rustc --print sysroot)
    mkdir "$work/rust/rust"
    cp -r "$toolchain"/bin "$toolchain"/lib "$work/rust/rust/"
    docker build --quiet -t rust:1-bookworm "$work/rust" > /dev/null
fi
