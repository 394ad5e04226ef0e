/** Imports point one way: domain <- db, etcd <- pipeline <- routes <- app <- parts <- main; types count too. */

/** What routes may see of the pipeline: interfaces, no driver. */
const pipelineInterfaces =
  "^src/pipeline/(hot/fleet|queue/queue|store/telemetry-queries|store/telemetry-store|source/source|service)\\.ts$";

/** A folder or file imports nothing of ours but what is named here. */
const layer = (name, path, allowed) => ({
  name: `${name}-imports-one-way`,
  comment: `${name} may import only ${allowed.join(", ")}`,
  severity: "error",
  from: { path },
  to: { path: "^(src|scripts|test|bench|clients)/", pathNot: allowed },
});

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
    layer("db", "^src/db/", ["^src/(domain|db)/"]),
    layer("etcd", "^src/etcd/", ["^src/(domain|etcd)/"]),
    layer("pipeline", "^src/pipeline/", ["^src/(domain|db|etcd|pipeline)/"]),
    layer("terminal", "^src/terminal/", [
      "^src/(domain|terminal)/",
      "^src/pipeline/pipeline-listener\\.ts$",
      pipelineInterfaces,
    ]),
    layer("routes", "^src/routes/", ["^src/(domain|routes)/", pipelineInterfaces]),
    layer("client", "^clients/typescript/", ["^clients/typescript/"]),
    layer("config", "^src/config(-schema|-setting)?\\.ts$", ["^src/domain/", "^src/config-(schema|setting)\\.ts$"]),
    layer("app", "^src/app\\.ts$", ["^src/(domain|routes)/", "^src/config-schema\\.ts$", pipelineInterfaces]),
    {
      name: "parts-is-for-main",
      severity: "error",
      from: { pathNot: "^(src/main\\.ts|test/)" },
      to: { path: "^src/parts\\.ts$" },
    },
    { name: "main-is-for-nobody", severity: "error", from: {}, to: { path: "^src/main\\.ts$" } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^bun:" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["bun", "import", "types", "default"] },
  },
};
