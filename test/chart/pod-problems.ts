import { misspelledSettings } from "../../src/config/misspelled-settings.ts";
import { parseConfig, secretFileNames, settingNames } from "../../src/config/parse-config.ts";
import openapi from "../../clients/typescript/openapi.json";
import { type Container, envOf, type Pod, type Probe } from "./render-chart.ts";

/** The kinds of volumes that Pod Security 'restricted' allows, as far as the chart uses them. */
const allowedVolumes = ["configMap", "emptyDir", "persistentVolumeClaim", "secret"];

/** What Pod Security 'restricted' has against a pod, and what may be missing besides: a root that is read-only, resources.
 *  Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted */
export function restrictedProblems(pod: Pod): string[] {
  const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext as Record<string, unknown>;
  const problems: string[] = [];
  const check = (isFine: boolean, problem: string): void => void (isFine || problems.push(problem));
  check(runAsNonRoot === true && typeof runAsUser === "number" && runAsUser > 0, "may run as root");
  check(Bun.deepEquals(seccompProfile, { type: "RuntimeDefault" }), "has no seccomp profile");
  check(!["hostNetwork", "hostPID", "hostIPC"].some((key) => key in pod), "shares namespaces with its node");
  for (const { name, ...volume } of pod.volumes ?? []) {
    check(
      Object.keys(volume).every((kind) => allowedVolumes.includes(kind)),
      `volume ${String(name)} is not allowed`,
    );
  }
  for (const { securityContext, resources, name } of pod.containers) {
    const wanted = {
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsNonRoot: true },
      capabilities: { drop: ["ALL"] },
    };
    check(
      Bun.deepEquals(securityContext, wanted),
      `container ${name}: securityContext is ${JSON.stringify(securityContext)}`,
    );
    const { requests, limits } = resources as Record<string, Readonly<Record<string, unknown>> | undefined>;
    check(
      requests?.["cpu"] !== undefined && requests["memory"] !== undefined,
      `container ${name} requests no resources`,
    );
    check(limits?.["memory"] !== undefined, `container ${name} has no limit of memory`);
  }
  return problems;
}

/** What is wrong with the settings, ports and probes of a pod of the program; none for pods of etcd and the database. */
export function settingProblems(component: string, { containers }: Pod): string[] {
  const [container] = containers;
  if (container === undefined || !/^(?:nexus-|migrations$)/.test(component)) return [];
  const names = (container.env ?? []).map(({ name }) => name);
  const problems = names.filter((name) => !settingNames().includes(name)).map((name) => `${name} is no setting`);
  problems.push(...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is set twice`));
  problems.push(...misspelledSettings(envOf(container)), ...configProblems(container));
  if (component === "migrations") return problems;
  return [...problems, ...listeningProblems(container)];
}

/** Reads the settings as the program does. Secrets stand in for their files. */
function configProblems(container: Container): string[] {
  // Kubernetes sets the address of its API in every pod
  const env: Record<string, string> = { KUBERNETES_SERVICE_HOST: "10.96.0.1", ...envOf(container) };
  const samples: Readonly<Record<string, string>> = {
    DATABASE_URL: "postgres://telemetry:secret@db:5432/telemetry",
    AUTH_BOOTSTRAP_KEY: `gtp_first_${"a".repeat(48)}`,
  };
  for (const file of secretFileNames().filter((name) => name in env)) {
    const name = file.slice(0, -"_FILE".length);
    delete env[file];
    env[name] = samples[name] ?? "a-secret-of-more-than-16-letters";
  }
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** The program listens on PORT alone, and its probes ask for pages that it has. */
function listeningProblems(container: Container): string[] {
  const port = Number(envOf(container)["PORT"]);
  const problems = Bun.deepEquals(container.ports, [{ name: "http", containerPort: port }])
    ? []
    : ["ports are not PORT"];
  const { startupProbe, livenessProbe, readinessProbe } = container;
  const expected = { startupProbe: "/health/live", livenessProbe: "/health/live", readinessProbe: "/health/ready" };
  for (const [name, probe] of Object.entries({ startupProbe, livenessProbe, readinessProbe })) {
    if (!asks(probe, expected[name as keyof typeof expected])) problems.push(`${name} is ${JSON.stringify(probe)}`);
  }
  return problems;
}

function asks(probe: Probe | undefined, path: string): boolean {
  if (probe?.tcpSocket !== undefined) return Bun.deepEquals(probe.tcpSocket, { port: "http" });
  return probe?.httpGet?.port === "http" && probe.httpGet.path === path && path in openapi.paths;
}
