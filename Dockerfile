# The image of every role; ROLE decides. The base is named by its version: its digest is not known where this is built and tested.
# To pin one, add @sha256:... as `docker buildx imagetools inspect docker.io/oven/bun:1.4.5-slim` prints it.
FROM docker.io/oven/bun:1.4.5-slim AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
COPY patches ./patches
RUN bun install --frozen-lockfile --production --ignore-scripts
COPY scripts/trim-packages.ts ./scripts/
COPY scripts/sbom/types-only.ts ./scripts/sbom/
RUN bun scripts/trim-packages.ts node_modules

# the bill of materials needs the packages for development, which the image does not have
FROM docker.io/oven/bun:1.4.5-slim AS bill
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
COPY patches ./patches
RUN bun install --frozen-lockfile --ignore-scripts
COPY scripts/sbom.ts ./scripts/
COPY scripts/sbom ./scripts/sbom
COPY src ./src
RUN bun scripts/sbom.ts --out /sbom

FROM docker.io/oven/bun:1.4.5-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gpu-telemetry-pipeline" \
      org.opencontainers.image.description="Elastic GPU telemetry pipeline: streamer, collector, gateway, coordinator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/oven/bun:1.4.5-slim"

WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data

# only DATA_DIR is writable; a volume that is mounted there gets its owner
RUN install --directory --owner=1000 --group=1000 --mode=0700 /data

COPY --from=packages /app/node_modules ./node_modules
COPY --from=bill /sbom/bom.cdx.json /sbom/licences.csv ./sbom/
COPY LICENSE package.json ./
# the dashboard's pages follow live records by the client's code
COPY clients/typescript/src ./clients/typescript/src
COPY drizzle ./drizzle
# the programs beside the roles: migrations, repair, the balancer, simulated exporters, the secrets of compose.yaml
COPY scripts/balancer.ts scripts/compose-secrets.ts scripts/config.ts scripts/db-migrate.ts scripts/db-repair.ts scripts/is-ready.ts scripts/simulate.ts ./scripts/
COPY scripts/simulate ./scripts/simulate
COPY dev/exporters ./dev/exporters
COPY src ./src

# the user `bun` of the base, by number: Kubernetes' runAsNonRoot accepts no name
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["bun", "scripts/is-ready.ts"]
CMD ["bun", "src/main.ts"]
