/** The rules for imports between the rooms that docs/ARCHITECTURE.md describes. Imports of types count too,
 *  except imports of development packages. */

/** From the repository, files in `path` may import only what matches `allowed`. */
const layer = (name, path, allowed) => ({
  name: `${name}-imports-one-way`,
  comment: `${name} may import only ${allowed.join(", ")}`,
  severity: "error",
  from: { path },
  to: { path: "^(src|scripts|dev|test|bench|clients)/", pathNot: allowed },
});

/** The interfaces of a pipeline room are the files directly in its folder; its drivers are in subfolders. */
const interfacesOf = (rooms) => `^src/pipeline/(${rooms})/[^/]+\\.ts$`;

/** The interfaces of rooms that the API shows. */
const shownRooms = "^src/((access|faults|tls)|scaling/(registry|coordinator))/[^/]+\\.ts$";

const pipelineRoom = (room, ...allowed) =>
  layer(`pipeline-${room}`, `^src/pipeline/${room}/`, [
    "^src/(kit|domain|db|etcd)/",
    `^src/pipeline/${room}/`,
    ...allowed,
  ]);

const routesRoom = (room, below, ...allowed) =>
  layer(`routes-${room}`, `^src/routes/${room}/`, [
    "^src/(kit|domain)/",
    `^src/routes/(${[room, ...below].join("|")})/`,
    ...allowed,
  ]);

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "product-needs-no-development-package",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "domain-needs-only-typebox",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { pathNot: ["^src/domain/", "^node_modules/@sinclair/typebox/"] },
    },
    layer("kit", "^src/kit/", ["^src/kit/"]),
    layer("db", "^src/db/", ["^src/(kit|domain|db)/"]),
    layer("etcd", "^src/etcd/", ["^src/(kit|domain|etcd)/"]),
    layer("promql", "^src/promql/", ["^src/(kit|promql)/"]),
    layer("kubernetes", "^src/kubernetes/", ["^src/(kit|domain|kubernetes)/"]),
    layer("pipeline", "^src/pipeline/", ["^src/(kit|domain|db|etcd|kubernetes|pipeline)/"]),
    pipelineRoom("source", "^src/kubernetes/"),
    pipelineRoom("queue"),
    pipelineRoom("store"),
    pipelineRoom("hot"),
    pipelineRoom("observe", interfacesOf("source|store")),
    pipelineRoom("stream", interfacesOf("source|queue|store|observe")),
    pipelineRoom("collect", interfacesOf("queue|store|hot|observe")),
    pipelineRoom("upkeep", interfacesOf("store")),
    layer("terminal", "^src/terminal/", ["^src/(kit|domain|terminal)/", interfacesOf("source|queue|store|observe")]),
    layer("scaling", "^src/scaling/", [
      "^src/(kit|domain|db|etcd|kubernetes|tls|scaling)/",
      interfacesOf("queue|observe"),
    ]),
    layer("access", "^src/access/", ["^src/(kit|domain|db|etcd|access)/"]),
    layer("faults", "^src/faults/", [
      "^src/(kit|domain|db|etcd|faults)/",
      interfacesOf("store|hot"),
      "^src/scaling/election/[^/]+\\.ts$",
    ]),
    layer("dashboard", "^src/dashboard/", ["^src/dashboard/", "^src/routes/http/", "^clients/typescript/src/"]),
    layer("dashboard-in-browsers", "^src/dashboard/(browser|model)/", [
      "^src/dashboard/((browser|model)/|pages\\.ts$)",
      "^clients/typescript/src/",
    ]),
    layer("dashboard-model", "^src/dashboard/model/", ["^src/dashboard/model/"]),
    layer("mcp", "^src/mcp/", ["^src/(kit|domain|mcp)/", "^src/routes/http/", "^clients/typescript/src/generated/"]),
    layer("routes", "^src/routes/", [
      "^src/(kit|domain|promql|routes)/",
      interfacesOf("source|queue|store|hot"),
      shownRooms,
    ]),
    routesRoom("schemas", [], interfacesOf("queue"), shownRooms),
    routesRoom("http", ["schemas"], "^src/(access|tls)/[^/]+\\.ts$"),
    routesRoom("fleet", ["schemas"], interfacesOf("store|hot")),
    routesRoom("answers", ["schemas", "http", "fleet"], interfacesOf("queue|store"), shownRooms, "^src/promql/"),
    routesRoom("live", ["schemas", "http", "fleet"], interfacesOf("store"), shownRooms),
    routesRoom(
      "graphql-kit",
      ["schemas", "http", "fleet", "answers", "live"],
      interfacesOf("source|store"),
      shownRooms,
    ),
    routesRoom(
      "resources",
      ["schemas", "http", "fleet", "answers", "live", "graphql-kit"],
      interfacesOf("source|queue|store"),
      shownRooms,
      "^src/promql/",
    ),
    {
      name: "nouns-are-listed",
      comment: "outside src/routes/resources/, only tests may import a noun's files; other code imports resources.ts",
      severity: "error",
      from: { pathNot: "^(src/routes/resources/|test/)" },
      to: { path: "^src/routes/resources/[^/]+/" },
    },
    routesRoom("operations", ["schemas", "http"], interfacesOf("queue|store")),
    routesRoom("openapi", ["schemas", "http", "live", "resources", "operations"]),
    routesRoom("graphql", ["schemas", "http", "fleet", "answers", "graphql-kit", "resources"]),
    layer("client", "^clients/typescript/", ["^clients/typescript/"]),
    layer("tls", "^src/tls/", ["^src/(kit|domain|tls)/"]),
    layer("traces", "^src/traces/", ["^src/(kit|traces)/"]),
    layer("config", "^src/config/", ["^src/(kit|domain|config)/"]),
    layer("app", "^src/app\\.ts$", ["^src/routes/(http|live|operations)/", "^src/(access|tls)/[^/]+\\.ts$"]),
    layer("roles", "^src/roles/", [
      "^src/(kit|domain|config|db|etcd|kubernetes|pipeline|terminal|routes|roles|access|tls|scaling|faults|dashboard|mcp|traces)/",
    ]),
    {
      name: "roles-are-for-main",
      severity: "error",
      from: { pathNot: "^(src/main\\.ts|src/roles/|test/)" },
      to: { path: "^src/roles/" },
    },
    { name: "main-is-the-top", severity: "error", from: {}, to: { path: "^src/main\\.ts$" } },
    {
      name: "product-needs-no-development-code",
      severity: "error",
      from: { path: "^(src|clients)/" },
      to: { path: "^(scripts|dev|test|bench)/" },
    },
    {
      name: "tests-are-for-tests",
      comment: "code that tests share with scripts and benches is in dev/",
      severity: "error",
      from: { pathNot: "^test/" },
      to: { path: "^test/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^bun:" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["bun", "import", "types", "default"] },
  },
};
