# syntax=docker/dockerfile:1
# How to build and run it: docs/docker.md

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# What `fanfare version` says: the image is built without `.git`.
ARG FANFARE_COMMIT=
# The caches outlive a build, so that only what changed is built anew.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package fanfare-server --bin fanfare \
    && cp target/release/fanfare /fanfare

# What the image is made of. With a binary that is there already nothing is compiled: packaging/image/build.sh.
FROM debian:bookworm-slim AS root
COPY packaging/image/root.sh /src/packaging/image/root.sh
COPY config/docker /src/config/docker
COPY --from=build /fanfare /fanfare
RUN apt-get update && /src/packaging/image/root.sh /fanfare /root-of-image

# No shell and no package manager: glibc with its name service, certificates, time zones, Fanfare.
FROM scratch
COPY --from=root /root-of-image/ /
# Not every builder keeps the owner of what is copied from a stage.
COPY --from=root --chown=10001:10001 /root-of-image/var/lib/fanfare/ /var/lib/fanfare/
ENV PATH=/usr/local/bin
# Numbers, because Kubernetes (runAsNonRoot) cannot tell whether a name is root.
USER 10001:10001
WORKDIR /var/lib/fanfare
# Under all other settings; and the file that every command reads unless --config names another.
ENV FANFARE_DEFAULTS=/usr/share/fanfare/defaults.toml \
    FANFARE_CONFIG=/etc/fanfare/fanfare.toml
EXPOSE 6001 9600
VOLUME /var/lib/fanfare
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["fanfare", "health"]
ENTRYPOINT ["fanfare"]
CMD ["serve"]
