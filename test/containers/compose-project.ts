import { join } from "node:path";
import { until } from "../../dev/until.ts";
import { limits, type Podman } from "./podman.ts";
import type { ComposeFile, ComposeService } from "./read-compose.ts";

/** A container of a service, and how long it took from its start until it was healthy; undefined for one that ended by itself. */
export interface StartedContainer {
  readonly name: string;
  readonly service: string;
  readonly readyMs: number | undefined;
}

/** The services of a Compose file in containers of Podman, started in the order that `depends_on` gives. Health is asked for here:
 *  Podman's own timers need systemd. */
export class ComposeProject {
  readonly containers: StartedContainer[] = [];
  private readonly started = new Map<string, Promise<void>>();

  /** @param project `settings`: variables of the services of the pipeline, in addition to the file's */
  constructor(
    private readonly podman: Podman,
    private readonly project: {
      readonly name: string;
      readonly file: ComposeFile;
      readonly root: string;
      readonly settings: Readonly<Record<string, string>>;
    },
  ) {}

  /** Makes the networks, then starts all services without a profile and those of the profiles. */
  async up(profiles: readonly string[]): Promise<void> {
    const { name, file } = this.project;
    for (const [network, options] of Object.entries(file.networks)) {
      await this.podman.run(
        ...["network", "create", ...(options?.internal === true ? ["--internal"] : []), `${name}_${network}`],
      );
    }
    const chosen = Object.entries(file.services).filter(
      ([, service]) => service.profiles === undefined || service.profiles.some((each) => profiles.includes(each)),
    );
    await Promise.all(chosen.map(([service]) => this.start(service)));
  }

  /** Starts a service after those that it depends on. Resolves when what waits for it may start. */
  start(service: string): Promise<void> {
    const starting = this.started.get(service) ?? this.startNow(service);
    this.started.set(service, starting);
    return starting;
  }

  private async startNow(name: string): Promise<void> {
    const service = this.project.file.services[name];
    if (service === undefined) throw new Error(`there is no service ${name}`);
    await Promise.all(Object.keys(service.depends_on ?? {}).map((needed) => this.start(needed)));
    const numbers = Array.from({ length: service.deploy.replicas ?? 1 }, (_, index) => index + 1);
    await Promise.all(numbers.map((number) => this.startContainer(name, service, number)));
  }

  private async startContainer(service: string, parts: ComposeService, number: number): Promise<void> {
    const name = `${this.project.name}-${service}-${number}`;
    const startedAt = performance.now();
    await this.podman.run(
      "run",
      "--detach",
      "--name",
      name,
      ...this.optionsOf(service, parts),
      ...(parts.command ?? []),
    );
    if (parts.healthcheck?.disable === true) {
      const code = await this.podman.run("wait", name);
      if (code !== "0") throw new Error(`${name} ended with ${code}:\n${await this.logOf(name)}`);
      this.containers.push({ name, service, readyMs: undefined });
      return;
    }
    await this.untilHealthy(name);
    this.containers.push({ name, service, readyMs: performance.now() - startedAt });
  }

  /** Starts the containers again that have ended by themselves, as a second `up` does.
   *  @throws Error if one fails then */
  async repeatOnce(): Promise<void> {
    for (const { name, readyMs } of this.containers) {
      if (readyMs !== undefined) continue;
      await this.podman.run("start", name);
      const code = await this.podman.run("wait", name);
      if (code !== "0") throw new Error(`${name}, started again, ended with ${code}:\n${await this.logOf(name)}`);
    }
  }

  /** Resolves when a container is healthy.
   *  @throws Error with the end of its log, if it is not within two minutes */
  async untilHealthy(name: string): Promise<void> {
    const isHealthy = async (): Promise<boolean> => (await this.podman.attempt("healthcheck", "run", name)).code === 0;
    try {
      await until(isHealthy, { timeoutMs: 120_000, everyMs: 500 });
    } catch {
      throw new Error(`${name} is not healthy:\n${await this.logOf(name)}`);
    }
  }

  private async logOf(name: string): Promise<string> {
    const { output, errors } = await this.podman.attempt("logs", "--tail", "20", name);
    return `${output}${errors}`;
  }

  /** Removes every container, network and volume of the project. */
  async down(): Promise<void> {
    const { name, file } = this.project;
    const found = await this.podman.run("ps", "--all", "--format", "{{.Names}}");
    const containers = found.split("\n").filter((each) => each.startsWith(`${name}-`));
    if (containers.length > 0) await this.podman.run("rm", "--force", "--time", "0", ...containers);
    for (const network of Object.keys(file.networks)) {
      await this.podman.attempt("network", "rm", "--force", `${name}_${network}`);
    }
    for (const volume of Object.keys(file.volumes)) {
      await this.podman.attempt("volume", "rm", "--force", `${name}_${volume}`);
    }
  }

  private optionsOf(service: string, parts: ComposeService): string[] {
    const { deploy, healthcheck, entrypoint, read_only, user, shm_size, stop_grace_period } = parts;
    const { cpus, memory, pids } = deploy.resources.limits;
    const environment = {
      ...parts.environment,
      ...(parts.environment?.["ROLE"] === undefined ? {} : this.project.settings),
    };
    const [, ...test] = healthcheck?.test ?? [];
    return [
      ...limits,
      ...["--cpus", cpus, "--memory", memory, "--pids-limit", String(pids)],
      ...["--restart", parts.restart === "no" || healthcheck?.disable === true ? "no" : "always"],
      ...(read_only === true ? ["--read-only"] : []),
      ...each("--tmpfs", parts.tmpfs),
      ...each("--cap-drop", parts.cap_drop),
      ...each("--cap-add", parts.cap_add),
      ...each(
        "--security-opt",
        parts.security_opt?.map((option) => option.replace(":true", "")),
      ),
      ...each(
        "--env",
        Object.entries(environment).map(([variable, value]) => `${variable}=${value}`),
      ),
      ...each(
        "--volume",
        parts.volumes?.map((volume) => this.volumeOf(volume)),
      ),
      ...each("--network", this.networksOf(service, parts)),
      ...each("--publish", parts.ports),
      ...(test.length === 0
        ? ["--no-healthcheck"]
        : ["--health-cmd", JSON.stringify(test), "--health-interval", "disable"]),
      ...(user === undefined ? [] : ["--user", user]),
      ...(shm_size === undefined ? [] : ["--shm-size", shm_size]),
      ...(stop_grace_period === undefined ? [] : ["--stop-timeout", stop_grace_period.replace("s", "")]),
      ...(entrypoint === undefined ? [] : ["--entrypoint", JSON.stringify(entrypoint)]),
      parts.image,
    ];
  }

  private networksOf(service: string, { network_mode, networks = [] }: ComposeService): string[] {
    if (network_mode !== undefined) return [network_mode];
    return networks.map((network) => `${this.project.name}_${network}:alias=${service}`);
  }

  /** A volume as Podman takes it: of this project, or a folder of the checkout or of the machine. */
  private volumeOf(volume: string): string {
    const [source = "", ...rest] = volume.split(":");
    const place = source.startsWith("./")
      ? join(this.project.root, source)
      : source.startsWith("/")
        ? source
        : `${this.project.name}_${source}`;
    return [place, ...rest].join(":");
  }
}

const each = (option: string, values: readonly string[] = []): string[] => values.flatMap((value) => [option, value]);
