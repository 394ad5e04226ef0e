import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { Kind, type Static, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { configSchema } from "./config-schema.ts";
import { kubernetesContradictions } from "./kubernetes-contradictions.ts";
import { peopleContradictions } from "./people-contradictions.ts";
import type { EnvironmentNotes } from "./config-setting.ts";
import { serverContradictions, urlWithCa } from "./server-contradictions.ts";
import { InvalidConfig } from "../domain/errors.ts";
import { pipelineRoles, roleNames } from "../domain/role-name.ts";
import { readHostPort } from "../kit/host-port.ts";

/** The checked configuration. The name of a duration ends with its unit. */
export type Config = Static<typeof configSchema>;

interface Setting {
  readonly key: string;
  readonly schema: TSchema & EnvironmentNotes;
}

const settings: readonly Setting[] = Object.entries(configSchema.properties).map(([key, schema]) => ({
  key,
  schema: schema as unknown as Setting["schema"],
}));

/** Reads the configuration from an environment.
 *  @throws InvalidConfig with an error for each unusable variable; if all are usable, with an error for each contradiction
 *  between them */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const errors: string[] = [];
  const values: Record<string, unknown> = {};
  for (const { key, schema } of settings) {
    if (isOutranked(schema.env, env)) continue;
    const text = textOf(schema, env, errors);
    const value = text === undefined ? (structuredClone(schema.default) as unknown) : fromText(schema, text);
    if (value === undefined) continue;
    if (value === invalidText || !Value.Check(schema, value)) errors.push(errorOf(schema, text ?? ""));
    else values[key] = value;
  }
  const config = values as Config;
  if (errors.length === 0) errors.push(...contradictions(config));
  if (errors.length > 0) throw new InvalidConfig(errors);
  const databaseUrl = urlWithCa(config);
  return databaseUrl === undefined ? config : { ...config, databaseUrl };
}

/** The names of all variables that are read. */
export function settingNames(): string[] {
  return [...settings.map(({ schema }) => schema.env), ...secretFileNames()];
}

/** The variables that name files with secrets. */
export function secretFileNames(): string[] {
  return settings.flatMap(({ schema }) => (schema.secret === true ? [`${schema.env}_FILE`] : []));
}

/** A setting with its current value, as texts for display. */
export interface ShownSetting {
  readonly env: string;
  readonly value: string;
  readonly default: string;
  readonly type: string;
  readonly description: string;
}

/** @returns every setting, in the order of the schema; the values of secrets are hidden */
export function shownSettings(config: Config): ShownSetting[] {
  return settings.map(({ key, schema }) => ({
    env: schema.env,
    value: shownOf(schema, (config as Record<string, unknown>)[key]),
    default: toText(schema, schema.default),
    type: typeText(schema),
    description: schema.description,
  }));
}

/** The errors of settings that are valid by themselves but contradict each other. */
function contradictions(config: Config): string[] {
  const errors: string[] = [];
  const { roles: chosen, etcdEndpoints: endpoints } = config;
  if (endpoints === undefined && chosen.includes("streamer") !== chosen.includes("collector")) {
    errors.push(
      `ROLE=${chosen.join(",")}: without ETCD_ENDPOINTS, streamer and collector share a queue in memory and must run in one process; set ETCD_ENDPOINTS, or use ROLE=all, ROLE=streamer,collector or ROLE=gateway`,
    );
  }
  errors.push(...serverContradictions(config), ...addressErrors(config), ...scalingErrors(config));
  errors.push(...exporterContradictions(config), ...peopleContradictions(config), ...kubernetesContradictions(config));
  if (config.shutdownDrainSeconds >= config.shutdownTimeoutSeconds) {
    errors.push(
      `SHUTDOWN_DRAIN_SECONDS=${config.shutdownDrainSeconds} is not below SHUTDOWN_TIMEOUT_SECONDS=${config.shutdownTimeoutSeconds}: no time would be left to finish work`,
    );
  }
  if (config.queueLowMarkPercent >= config.queueHighMarkPercent) {
    errors.push(
      `QUEUE_LOW_MARK_PERCENT=${config.queueLowMarkPercent} is not below QUEUE_HIGH_MARK_PERCENT=${config.queueHighMarkPercent}`,
    );
  }
  if (config.loopMode && config.csvFile === undefined)
    errors.push("LOOP_MODE=true needs CSV_FILE: only a file can be read again");
  if (config.timestamps !== undefined && config.csvFile === undefined) {
    errors.push(`TIMESTAMPS=${config.timestamps} needs CSV_FILE: records of live sources always have the present time`);
  }
  const { simMig, simTimeSlicing, simVgpu } = config;
  // 0.1 + 0.2 + 0.7 is more than 1 by a rounding error
  if (simMig + simTimeSlicing + simVgpu > 1 + 1e-9) {
    errors.push(
      `SIM_MIG=${simMig}, SIM_TIME_SLICING=${simTimeSlicing} and SIM_VGPU=${simVgpu} exclude each other: their sum must be at most 1`,
    );
  }
  return errors;
}

function exporterContradictions(config: Config): string[] {
  const { dcgmTimeoutMs, dcgmIntervalMs, dcgmUsername, dcgmPassword, dcgmBearerToken } = config;
  const errors: string[] = [];
  if (dcgmTimeoutMs !== undefined && dcgmTimeoutMs >= dcgmIntervalMs) {
    errors.push(`DCGM_TIMEOUT=${dcgmTimeoutMs}ms is not below DCGM_INTERVAL=${dcgmIntervalMs}ms`);
  }
  if ((dcgmUsername === undefined) !== (dcgmPassword === undefined)) {
    errors.push("DCGM_USERNAME and DCGM_PASSWORD belong together: set both or neither");
  }
  if (dcgmUsername !== undefined && dcgmBearerToken !== undefined) {
    errors.push("DCGM_USERNAME and DCGM_BEARER_TOKEN exclude each other: a request has one of them");
  }
  if ((config.dcgmCertFile === undefined) !== (config.dcgmKeyFile === undefined)) {
    errors.push("DCGM_CERT_FILE and DCGM_KEY_FILE belong together: set both or neither");
  }
  return errors;
}

function addressErrors({ serviceAddress, externalServiceAddress, podIp }: Config): string[] {
  const errors = Object.entries({
    SERVICE_ADDRESS: serviceAddress,
    EXTERNAL_SERVICE_ADDRESS: externalServiceAddress,
  }).flatMap(([name, text]) =>
    text === undefined || readHostPort(text) !== undefined
      ? []
      : [`${name}=${text} is not usable: expected a host, host:port or a URL without a path, such as http://host:8080`],
  );
  if (podIp !== undefined && isIP(podIp) === 0) errors.push(`POD_IP=${podIp} is not usable: expected an IP address`);
  return errors;
}

function scalingErrors(config: Config): string[] {
  const limits = [
    ["STREAMER", config.scalingStreamerMin, config.scalingStreamerMax],
    ["COLLECTOR", config.scalingCollectorMin, config.scalingCollectorMax],
    ["GATEWAY", config.scalingGatewayMin, config.scalingGatewayMax],
  ] as const;
  const errors = limits.flatMap(([role, min, max]) =>
    min <= max ? [] : [`SCALING_${role}_MIN=${min} is above SCALING_${role}_MAX=${max}`],
  );
  if (config.etcdEndpoints === undefined && config.roles.every((role) => role === "coordinator")) {
    errors.push("ROLE=coordinator needs ETCD_ENDPOINTS: without etcd, it sees no other process");
  }
  return errors;
}

/** A secret in the environment outranks the file of that secret. */
function isOutranked(name: string, env: Readonly<Record<string, string | undefined>>): boolean {
  const secret = settings.find(({ schema }) => schema.secret === true && `${schema.env}_FILE` === name);
  return secret !== undefined && (env[secret.schema.env] ?? "") !== "";
}

const invalidText = Symbol("a text that does not have the setting's form");

function textOf(schema: EnvironmentNotes, env: Readonly<Record<string, string | undefined>>, errors: string[]) {
  const text = env[schema.env];
  const file = schema.secret ? env[`${schema.env}_FILE`] : undefined;
  if (text !== undefined && text !== "") return text.trim();
  if (file === undefined || file === "") return undefined;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    errors.push(`${schema.env}_FILE=${file} cannot be read: ${(cause as Error).message}`);
    return undefined;
  }
}

const millisecondsPerUnit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** @returns the value of the text; `invalidText` if the text does not have the setting's form */
function fromText(schema: Setting["schema"], text: string): unknown {
  if (schema.form === "roles") return text === "all" ? [...pipelineRoles] : text.split(",").map((part) => part.trim());
  if (schema.form === "list") return text.split(",").map((part) => part.trim());
  if (schema.form === "duration") {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
    return match ? Math.round(Number(match[1]) * millisecondsPerUnit[match[2] as "ms"]) : invalidText;
  }
  switch (schema[Kind]) {
    case "Integer":
      return /^-?\d+$/.test(text) ? Number(text) : invalidText;
    case "Number":
      return /^(?:\d+(?:\.\d+)?|\.\d+)$/.test(text) ? Number(text) : invalidText;
    case "Boolean":
      return { true: true, "1": true, false: false, "0": false }[text.toLowerCase()] ?? invalidText;
    default:
      return text;
  }
}

function shownOf(schema: Setting["schema"], value: unknown): string {
  return schema.secret && value !== undefined ? "(hidden)" : toText(schema, value);
}

function toText(schema: Setting["schema"], value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.join(",");
  return `${value as string | number | boolean}${schema.form === "duration" ? "ms" : ""}`;
}

function errorOf(schema: Setting["schema"], text: string): string {
  // a user and a password in a URL, whatever characters they have
  const shownText = schema.secret
    ? "(hidden)"
    : text
        .replace(/^([a-z]+:\/\/)?.*:.*@|^([a-z]+:\/\/).*@/is, "$1$2(hidden)@")
        // of a URL, where tokens are, too
        .replace(/(:\/\/[^?#]*?[?#]).+?(?=,[a-z]+:\/\/|$)/gis, "$1(hidden)");
  return `${schema.env}=${shownText} is not usable: expected ${typeText(schema)} (${schema.description})`;
}

/** Describes the values that a setting accepts. */
function typeText(schema: Setting["schema"]): string {
  const unit = schema.unit === undefined ? "" : ` ${schema.unit}`;
  if (schema.form === "list") return `a comma-separated list of ${schema.elements ?? "texts"}`;
  if (schema.form === "roles") return `all or a list of ${roleNames.join(",")}`;
  if (schema.form === "duration") {
    return `a time with its unit (ms, s, m, h) from ${String(schema.minimum)}ms to ${String(schema.maximum)}ms`;
  }
  switch (schema[Kind]) {
    case "Integer":
      return `a whole number from ${String(schema.minimum)} to ${String(schema.maximum)}${unit}`;
    case "Number":
      return `a number from ${String(schema.minimum)} to ${String(schema.maximum)}${unit}`;
    case "Boolean":
      return "true or false";
    case "Union":
      return `one of ${(schema.anyOf as { const: string }[]).map((member) => member.const).join(", ")}`;
    default:
      return schema.expects ?? "text";
  }
}
