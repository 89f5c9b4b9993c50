# visara-gateway: built and run on Debian 13, so that rediss:// and the newer parser are in it. Configure it by variables
# (GATEWAY_CONFIG names a file): the health check reads the same variables, but it does not see the gateway's arguments.
FROM debian:trixie-slim AS build
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      gcc libc6-dev cmake ninja-build pkg-config \
      libuv1-dev libllhttp-dev libcurl4-openssl-dev libhiredis-dev libxxhash-dev libcjson-dev libssl-dev libcmocka-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt ./
COPY cmake cmake
COPY redis redis
COPY gateway gateway
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DGW_TESTS=OFF \
    && cmake --build /build --target visara-gateway \
    && strip /build/gateway/visara-gateway

FROM debian:trixie-slim
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      libuv1t64 libllhttp9.2 libcurl4t64 libhiredis1.1.0 libxxhash0 libcjson1 libssl3t64 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin gateway
COPY --from=build /build/gateway/visara-gateway /usr/local/bin/visara-gateway
USER gateway
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 \
  CMD ["/usr/local/bin/visara-gateway", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/visara-gateway"]
