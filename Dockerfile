FROM oven/bun:1.4.5

WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0

COPY package.json bun.lock bunfig.toml ./
COPY patches ./patches
RUN bun install --frozen-lockfile --production --ignore-scripts

COPY src ./src
# the dashboard's pages follow live records by its code
COPY clients/typescript/src ./clients/typescript/src
COPY drizzle ./drizzle
RUN mkdir data && chown bun:bun data

USER bun
EXPOSE 8080
CMD ["bun", "src/main.ts"]
