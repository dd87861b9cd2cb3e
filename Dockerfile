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

FROM debian:bookworm-slim
RUN groupadd --system --gid 10001 fanfare \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/fanfare --create-home fanfare
COPY --from=build /fanfare /usr/local/bin/fanfare
COPY config/docker/defaults.toml /usr/share/fanfare/defaults.toml
COPY config/docker/fanfare.toml /etc/fanfare/fanfare.toml
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
