# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so that only what changed is built anew.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package fanfare-server --bin fanfare \
    && cp target/release/fanfare /fanfare

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/fanfare --create-home fanfare
COPY --from=build /fanfare /usr/local/bin/fanfare
USER fanfare
WORKDIR /var/lib/fanfare
# In a container the world outside is not 127.0.0.1. The admin listener stays inside.
ENV FANFARE__LISTEN__ADDR=0.0.0.0:6001
EXPOSE 6001
VOLUME /var/lib/fanfare
# The shell opens the connection itself: no further program is needed in the image.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/6001 && printf 'GET /up HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r status <&3 && [[ $status == *' 200 '* ]]"]
ENTRYPOINT ["fanfare"]
CMD ["serve"]
