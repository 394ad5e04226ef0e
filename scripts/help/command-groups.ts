/** Commands that belong together, each with what it does. */
export interface CommandGroup {
  readonly title: string;
  readonly commands: Readonly<Record<string, string>>;
}

/** Every script of package.json. A line of the help has at most 80 columns. */
export const commandGroups: readonly CommandGroup[] = [
  {
    title: "Set up",
    commands: {
      help: "this list",
      deps: "install the packages",
      "build-nexus": "check the types, and that the program can be bundled",
      "build-enhanced": "the same",
      "setup-etcd": "start etcd and TimescaleDB; after scale-stop, empty",
      "stop-etcd": "stop them; their data stays",
      services: "both until Ctrl-C, on free ports; deletes their data",
    },
  },
  {
    title: "Run",
    commands: {
      dev: "all in one process, without servers; simulated GPUs",
      start: "one process, by its settings (ROLE, PORT, ...)",
      "run-nexus-streamer": "one streamer until Ctrl-C (CSV_FILE)",
      "run-nexus-collector": "one collector until Ctrl-C",
      "run-nexus-gateway": "one gateway until Ctrl-C (PORT=8080)",
      config: "every setting with its value, unit and meaning",
    },
  },
  {
    title: "Scale on this machine",
    commands: {
      "scale-local": "so many processes of each role (INSTANCES, CSV_FILE)",
      "scale-streamers": "so many streamers (STREAMER_INSTANCES)",
      "scale-collectors": "so many collectors (COLLECTOR_INSTANCES)",
      "scale-gateways": "so many gateways (API_GW_INSTANCES)",
      "scale-status": "processes with health, CPU, memory, restarts",
      "scale-logs": "follow all logs until Ctrl-C",
      "scale-restart": "restart one process after another",
      "scale-stop": "stop all processes; setup-etcd then starts empty",
      balancer: "one address for all gateways (BALANCER_PORT)",
      "simulate-scaling": "try the rule of the coordinator on load curves",
    },
  },
  {
    title: "Run in containers",
    commands: {
      "docker-build-nexus": "build the images (DOCKER_REGISTRY, IMAGE_TAG)",
      "docker-push-nexus": "push them to DOCKER_REGISTRY",
      "docker-build-legacy": "says that it is gone",
    },
  },
  {
    title: "Run in Kubernetes",
    commands: {
      "k8s-deploy-nexus": "install or upgrade (NAMESPACE, STREAMER_INSTANCES)",
      "k8s-status-nexus": "pods and services; exits with 1 if some are not ready",
      "k8s-logs-nexus": "follow the logs of all pods until Ctrl-C",
      "k8s-port-forward": "the gateways at localhost:8080 until Ctrl-C (PORT)",
      "k8s-undeploy-nexus": "remove it; volumes stay (DELETE_DATA=true)",
      "csv-deploy-configmap": "stream a file of up to 1 MB (CSV_FILE)",
      "csv-deploy-pvc": "stream a file from a volume (CSV_FILE, SIZE=5Gi)",
    },
  },
  {
    title: "Look and check",
    commands: {
      telemetry: "GPUs, records, queue on the command line (-- --help)",
      targets: "exporters that are scraped: state, age, gaps, last error",
      simulate: "a simulated fleet: a CSV file or exporters (-- --help)",
      verify: "compare a CSV file with the store (-- --csv FILE)",
      "load-test": "send requests to a gateway; a table of rates and times",
    },
  },
  {
    title: "Develop",
    commands: {
      test: "all tests",
      "test:faults": "kill, freeze and disconnect processes, and compare",
      "test:containers": "build the images, start compose.yaml, kill, compare",
      "test:elastic": "add, kill and stop processes while data flows",
      "test:kubernetes": "build a Kubernetes control plane, and test on it",
      "test:upgrade": "two versions at once under load, forward and back",
      "test:pgbouncer": "a database behind pgbouncer, in each of its modes",
      "test:rolling": "restart gateways under load; no request may fail",
      "test:promql": "compare answers to PromQL with those of a Prometheus",
      "test:remote-write": "a Prometheus writes while the gateway is killed",
      "test:parquet": "DuckDB and pandas read the archive; compare every value",
      "test:fuzz": "mutated inputs for all readers and a gateway",
      typecheck: "check the types",
      lint: "check the style",
      format: "format all files",
      "format:check": "check the format",
      architecture: "check the imports between folders, and unused code",
      "generate:client": "write the generated part of the TypeScript client",
      "generate-swagger": "write the OpenAPI document to swagger.json",
      "generate:chart": "write the schema and the README of the Helm chart",
      sbom: "a bill of materials and the licences of all packages",
      "db:migrate": "bring the database's schema up to date",
      "db:repair": "find and repair damaged history (-- --help)",
      "db:generate": "write the migration for a changed schema",
      ci: "everything that CI checks",
    },
  },
];
