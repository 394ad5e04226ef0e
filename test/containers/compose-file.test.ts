import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { images } from "../../scripts/docker/images.ts";
import { hashOf, keyIdOf } from "../../src/access/key-text.ts";
import { readKeys } from "../../src/access/file/keys-file.ts";
import { parseConfig, settingNames } from "../../src/config/parse-config.ts";
import { misspelledSettings } from "../../src/config/misspelled-settings.ts";
import { type ComposeService, interpolate, readCompose, readVariables } from "./read-compose.ts";

// What compose.yaml says, as far as it can be judged without containers. test/containers/run.ts starts it.

const root = join(import.meta.dir, "../..");
const file = readCompose(join(root, "compose.yaml"));
const services = Object.entries(file.services);
const isOurs = ({ image }: ComposeService): boolean => image.includes("gpu-telemetry-pipeline");
const isOnce = ({ restart }: ComposeService): boolean => restart === "no" || restart === "on-failure";
const variableFiles = readdirSync(join(root, "deploy/compose")).filter((name) => name.endsWith(".env"));
const folder = mkdtempSync(join(tmpdir(), "compose-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

const secretFolders = ["access", "database", "etcd", "monitoring"];
const makeSecrets = () => Bun.spawnSync([process.execPath, join(root, "scripts/compose-secrets.ts"), folder]);
const secret = (name: string): string => readFileSync(join(folder, name), "utf8");
beforeAll(() => {
  for (const name of secretFolders) mkdirSync(join(folder, name));
  expect(makeSecrets().exitCode).toBe(0);
});

/** The names of the services that lack something. */
const without = (has: (service: ComposeService) => boolean, of = services): string[] =>
  of.filter(([, service]) => !has(service)).map(([name]) => name);

test("every service has limits, and health unless it ends by itself", () => {
  const limited = ({ deploy: { resources } }: ComposeService): boolean => {
    const { cpus, memory, pids } = resources.limits;
    return Number(cpus) > 0 && /^\d+[mg]$/.test(memory) && pids > 0;
  };
  expect(without(limited)).toEqual([]);
  expect(without((each) => isOnce(each) || (each.healthcheck?.test ?? []).length > 1)).toEqual([]);
});

test("every container has a root that it cannot write, no rights of root, and a user; exceptions are known", () => {
  const closed = ({ read_only, cap_drop, security_opt }: ComposeService): boolean =>
    read_only === true && cap_drop?.join() === "ALL" && security_opt?.join() === "no-new-privileges:true";
  expect(without(closed)).toEqual(["timescaledb"]);
  expect(services.filter(([, { cap_add }]) => cap_add !== undefined).map(([name]) => name)).toEqual([
    "secrets",
    "timescaledb",
  ]);
  expect(services.filter(([, { user }]) => user !== undefined).map(([name]) => name)).toEqual(["secrets"]);
});

test("what a service needs exists, and can be waited for", () => {
  for (const [name, { depends_on = {}, networks = [], volumes = [], network_mode }] of services) {
    for (const [needed, { condition }] of Object.entries(depends_on)) {
      const service = file.services[needed];
      const expected = service !== undefined && isOnce(service) ? "service_completed_successfully" : "service_healthy";
      expect([name, needed, condition]).toEqual([name, needed, expected]);
    }
    for (const network of networks) expect(Object.keys(file.networks)).toContain(network);
    expect([name, networks.length > 0 || network_mode === "none"]).toEqual([name, true]);
    for (const volume of volumes) {
      const [source = ""] = volume.split(":");
      expect([volume, source.startsWith("./") ? existsSync(join(root, source)) : source in file.volumes]).toEqual([
        volume,
        true,
      ]);
    }
  }
  const used = services.flatMap(([, { volumes = [] }]) => volumes.map((each) => each.split(":")[0] ?? ""));
  expect(Object.keys(file.volumes).filter((name) => !used.includes(name))).toEqual([]);
});

test("only the balancer and Grafana have ports, on this machine unless GATEWAY_ADDRESS opens them", () => {
  const open = services.filter(([, { ports = [] }]) => ports.length > 0).map(([name, { ports }]) => [name, ports]);
  expect(open).toEqual([
    ["balancer", ["127.0.0.1:8080:8000"]],
    ["grafana", ["127.0.0.1:3000:3000"]],
  ]);
  const withInternalOnly = services.filter(([, { networks = [] }]) =>
    networks.every((name) => file.networks[name]?.internal === true),
  );
  expect(withInternalOnly.map(([name]) => name).sort()).toEqual(
    [
      "collector",
      "etcd",
      "etcd-2",
      "etcd-3",
      "etcd-auth",
      "grafana-role",
      "migrations",
      "prometheus",
      "secrets",
      "timescaledb",
    ].sort(),
  );
});

test("every process of the pipeline that listens needs a key, which it reads from a file that it cannot change", () => {
  for (const [name, { environment = {}, volumes = [] }] of services) {
    if (environment["ROLE"] === undefined) continue;
    const { HOST, AUTH, AUTH_BOOTSTRAP_KEY_FILE } = environment;
    expect([name, HOST, AUTH, AUTH_BOOTSTRAP_KEY_FILE]).toEqual([name, "0.0.0.0", "required", "/run/access/first-key"]);
    expect(volumes).toContain("access:/run/access:ro");
  }
});

test("no service has a password by default, and each sees only its own secrets", () => {
  for (const [name, { environment = {} }] of services) {
    for (const [variable, value] of Object.entries(environment)) {
      if (!/PASSWORD|SECRET|_KEY|DATABASE_URL/.test(variable)) continue;
      expect([name, variable, value]).toEqual([
        name,
        expect.stringMatching(/_FILE$/),
        expect.stringMatching(/^\/run\/[a-z]+\/[a-z-]+(\.json)?$/),
      ]);
    }
  }
  const seenBy = (volume: string): string[] =>
    services
      .filter(([name, { volumes = [] }]) => name !== "secrets" && volumes.some((each) => each.startsWith(`${volume}:`)))
      .map(([name]) => name);
  expect(services.filter(([, each]) => isOurs(each)).map(([name]) => name)).toEqual(
    expect.arrayContaining(seenBy("access")),
  );
  expect(seenBy("database-password")).toEqual(["timescaledb", "grafana-role"]);
  expect(seenBy("etcd-password")).toEqual(["etcd", "etcd-2", "etcd-3", "etcd-auth"]);
  expect(seenBy("monitoring-access")).toEqual(["prometheus", "grafana-role", "grafana"]);
  expect(file.services["secrets"]).toMatchObject({ network_mode: "none" });
});

/** The environment of a service, with the files of its secrets where this test made them. */
function environmentOf({ environment = {} }: ComposeService): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, value.replace("/run/access", join(folder, "access"))]),
  );
}

test.each([["compose.yaml alone", {}], ...variableFiles.map((name) => [name, {}] as const)])(
  "with %s, every process accepts its settings, and knows the names of all",
  (name) => {
    const variables = name.endsWith(".env")
      ? readVariables(join(root, "deploy/compose", name))
      : { CSV_FILE: "/csv/a.csv" };
    const names = new Set(settingNames());
    for (const [service, each] of Object.entries(readCompose(join(root, "compose.yaml"), variables).services)) {
      if (!isOurs(each)) continue;
      const environment = environmentOf(each);
      expect([service, Object.keys(environment).filter((one) => !names.has(one))]).toEqual([service, []]);
      expect([service, misspelledSettings(environment)]).toEqual([service, []]);
      if (each.environment !== undefined) expect(() => parseConfig(environment)).not.toThrow();
    }
  },
);

test("the files of variables change what compose.yaml says, and name services", () => {
  const text = readFileSync(join(root, "compose.yaml"), "utf8");
  for (const name of variableFiles) {
    const variables = readVariables(join(root, "deploy/compose", name));
    for (const [variable, value] of Object.entries(variables)) {
      expect([variable, text.includes(`\${${variable}:-`)]).toEqual([variable, true]);
      const hosts = [...value.matchAll(/([a-z][a-z0-9-]*):\d+/g)].map(([, host]) => host ?? "");
      expect(Object.keys(file.services)).toEqual(expect.arrayContaining(hosts));
    }
    expect(readFileSync(join(root, "deploy/compose", name), "utf8")).toContain(`--env-file deploy/compose/${name}`);
  }
});

test("keys and passwords are made once; the pipeline's are for its user only", () => {
  const before = secretFolders
    .flatMap((name) => readdirSync(join(folder, name)).map((each) => `${name}/${each}`))
    .sort();
  const texts = before.map(secret);
  expect(before).toEqual([
    ...["access/database-url", "access/etcd-password", "access/first-key", "access/keys.json"],
    ...["database/password", "etcd/password", "monitoring/grafana-database-password", "monitoring/grafana-key"],
    ...["monitoring/grafana-password", "monitoring/prometheus-key"],
  ]);
  expect(secret("access/first-key")).toMatch(/^gtp_first_[0-9a-f]{64}$/);
  expect(secret("access/database-url")).toBe(
    `postgres://postgres:${secret("database/password")}@timescaledb:5432/telemetry`,
  );
  expect(secret("access/etcd-password")).toBe(secret("etcd/password"));
  expect(makeSecrets().stdout.toString()).toBe("");
  expect(before.map(secret)).toEqual(texts);
  const modes = before.map((each) => [each, statSync(join(folder, each)).mode & 0o777]);
  expect(modes).toEqual(before.map((each) => [each, each.startsWith("access/") ? 0o400 : 0o444]));
  // a secret that is lost is made anew, with what follows from it
  rmSync(join(folder, "etcd/password"));
  // and one that was put there by hand may have any characters
  rmSync(join(folder, "database/password"));
  writeFileSync(join(folder, "database/password"), "p@ss/w:rd#%\n");
  makeSecrets();
  expect(decodeURIComponent(new URL(secret("access/database-url")).password)).toBe("p@ss/w:rd#%");
  expect(secret("access/etcd-password")).toBe(secret("etcd/password"));
  expect(texts).not.toContain(secret("etcd/password"));
});

test("the keys of Prometheus and Grafana are some that the processes accept, for reading only", () => {
  const { keys, problems } = readKeys(secret("access/keys.json"));
  expect(problems).toEqual([]);
  const expected = ["prometheus", "grafana"].map((name) => {
    const key = secret(`monitoring/${name}-key`);
    return { id: keyIdOf(key), name, sha256: hashOf(key).toString("hex"), scopes: ["read"] };
  });
  expect(keys).toMatchObject(expected);
});

test("images have the names that docker-build-nexus gives them", () => {
  for (const registry of [undefined, "registry.example.org/gpu"]) {
    const { services: named } = readCompose(join(root, "compose.yaml"), { DOCKER_REGISTRY: registry });
    const built = Object.values(named).flatMap(({ build, image }) => (build === undefined ? [] : [image]));
    const { pipeline, etcd } = images({ registry, tag: version });
    expect([...new Set(built)].sort()).toEqual([etcd, pipeline].sort());
  }
});

test("variables are replaced as Compose does it", () => {
  expect(interpolate("${A:-x}${B:+y}$$", {})).toBe("x$");
  expect(interpolate("${A:-x}${B:+${B}/}", { A: "a", B: "b" })).toBe("ab/");
  expect(() => interpolate("$A", {})).toThrow("would not accept");
});
