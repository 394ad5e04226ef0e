import { chmodSync, rmSync } from "node:fs";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { isManagedRole, managedRoles, maxCount } from "./managed-role.ts";
import { checkServers, checkSettings, checkSource } from "./preflight.ts";
import type { Supervisor } from "./supervisor.ts";

const count = Type.Integer({ minimum: 0, maximum: maxCount });
const settings = Type.Record(Type.String(), Type.String());
const term = Type.Optional(Type.Integer({ minimum: 0 }));
const roleRequest = Type.Object({ count, term, supersedes: term, reason: Type.String() });
const scaleRequest = Type.Object({ counts: Type.Record(Type.String(), count), settings });
const restartRequest = Type.Object({ settings });

/** A request that cannot be carried out; the message is for the person who typed the command. */
class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

export interface SupervisorServerOptions {
  readonly supervisor: Supervisor;
  readonly socket: string;
  /** Called when everything has stopped and the answer is on its way. */
  readonly onStopped: () => void;
}

/** Answers the commands and the coordinator on a Unix socket. */
export class SupervisorServer {
  private readonly server: Bun.Server<undefined>;

  /** The caller holds the lock, so a socket file that is there is a dead supervisor's.
   *  @throws the error of the file system */
  constructor(private readonly options: SupervisorServerOptions) {
    rmSync(options.socket, { force: true });
    this.server = Bun.serve({
      unix: options.socket,
      fetch: (request, server) => {
        // a stop takes as long as the processes need
        server.timeout(request, 0);
        return this.answer(request);
      },
    });
    // settings may contain passwords
    chmodSync(options.socket, 0o600);
  }

  /** True while a command waits for its answer. */
  get isBusy(): boolean {
    return this.server.pendingRequests > 0;
  }

  /** Answers the requests in progress, and no more. */
  async stop(): Promise<void> {
    await this.server.stop();
  }

  private async answer(request: Request): Promise<Response> {
    try {
      const path = new URL(request.url).pathname.split("/").slice(1).map(decodeURIComponent);
      if (request.method === "GET") return Response.json(this.read(path));
      return Response.json(await this.change(path, await request.json().catch(() => ({}))));
    } catch (error) {
      const { status, details } = error instanceof Refused ? error : { status: 422, details: {} };
      return Response.json({ error: (error as Error).message, ...details }, { status });
    }
  }

  private read([resource]: readonly string[]): unknown {
    const { supervisor } = this.options;
    if (resource === "status") return supervisor.status;
    if (resource === "settings") return supervisor.currentSettings;
    throw new Refused(404, "the supervisor answers GET /status and GET /settings");
  }

  private async change([resource, name = ""]: readonly string[], body: unknown): Promise<unknown> {
    if (resource === "roles") return this.scaleRole(name, body);
    if (resource === "scale") return await this.scale(body);
    if (resource === "instances") return await this.restart(name, body);
    if (resource === "stop") return await this.stopProcesses();
    throw new Refused(404, "the supervisor answers POST /roles/{role}, /scale, /instances/{name} and /stop");
  }

  private scaleRole(role: string, body: unknown): unknown {
    if (!isManagedRole(role)) throw new Refused(404, `${role} is none of ${managedRoles.join(", ")}`);
    if (!Value.Check(roleRequest, body))
      throw new Refused(400, "expected {count: 0 to 100, term: a number, reason: text}");
    const { supervisor } = this.options;
    if (supervisor.scaleRole(role, body)) return supervisor.status.roles[role];
    const { term: known } = supervisor.status;
    throw new Refused(409, `term ${body.term} is over: a later leader has asked for processes already`, {
      term: known,
    });
  }

  private async scale(body: unknown): Promise<unknown> {
    if (!Value.Check(scaleRequest, body) || !Object.keys(body.counts).every(isManagedRole)) {
      throw new Refused(400, `expected {counts, settings} with counts of ${managedRoles.join(", ")}`);
    }
    const { supervisor } = this.options;
    const { roles } = supervisor.status;
    const config = checkSettings(supervisor.settingsWith(body.settings));
    const growing = Object.entries(body.counts)
      .filter(([role, number]) => isManagedRole(role) && number > roles[role].count)
      .map(([role]) => role);
    if (growing.includes("streamer") || "CSV_FILE" in body.settings) checkSource(config);
    if (growing.length > 0) await checkServers(config);
    return supervisor.scale(body.counts, body.settings);
  }

  private async restart(name: string, body: unknown): Promise<unknown> {
    if (!Value.Check(restartRequest, body)) throw new Refused(400, "expected {settings}");
    const { supervisor } = this.options;
    const config = checkSettings(supervisor.settingsWith(body.settings));
    if (name.startsWith("streamer-") || "CSV_FILE" in body.settings) checkSource(config);
    await checkServers(config);
    if (!supervisor.restart(name, body.settings)) throw new Refused(404, `there is no process ${name}`);
    return {};
  }

  private async stopProcesses(): Promise<unknown> {
    const result = await this.options.supervisor.stop();
    this.options.onStopped();
    return result;
  }
}
