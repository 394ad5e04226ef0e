import { secretFileNames, settingNames } from "../../src/config/parse-config.ts";

/** Settings that the chart's own values or templates give, and those of one machine: the embedded store, the supervisor, the balancer. */
const ownSettings: ReadonlySet<string> = new Set([
  ...["ROLE", "HOST", "PORT", "CLUSTER_ID", "INSTANCE_NAME", "POD_IP", "MIGRATE_ON_START", "EXECUTOR"],
  ...["SHUTDOWN_TIMEOUT_SECONDS", "SHUTDOWN_DRAIN_SECONDS", "ETCD_ENDPOINTS", "ETCD_USERNAME", "AUTH_OPEN_PAGES"],
  ...["CSV_FILE", "DCGM_TARGETS", "DCGM_TARGETS_SRV", "SUPERVISOR_SOCKET", "DATA_DIR", "DATA_MAX_GIB"],
]);
const ownPatterns =
  /^(?:BALANCER_|KUBERNETES_|DCGM_POD_|DCGM_DISCOVERY$|TLS_REDIRECT_PORT$|SCALING_\w+_(?:MIN|MAX|WORKLOAD)$)/;
/** Settings that name files, which the chart's own values give. */
const ownFiles: ReadonlySet<string> = new Set([
  ...["CSV_FILE", "DATABASE_URL_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE", "DCGM_TARGETS_FILE"],
  ...["AUTH_BOOTSTRAP_KEY_FILE", "ETCD_PASSWORD_FILE"],
]);

/** The settings that `settings` of the chart's values may have: no secrets, and no files. */
export function plainSettings(): string[] {
  const secrets = new Set(secretFileNames().map((name) => name.slice(0, -"_FILE".length)));
  return settingNames().filter(
    (name) => !name.endsWith("_FILE") && !secrets.has(name) && !ownSettings.has(name) && !ownPatterns.test(name),
  );
}

/** The settings that `files` of the chart's values may have. */
export function fileSettings(): string[] {
  return settingNames().filter((name) => name.endsWith("_FILE") && !ownFiles.has(name) && !ownPatterns.test(name));
}
