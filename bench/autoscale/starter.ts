import type { PipelineProcess } from "../../dev/pipeline-process.ts";

/** Starts and stops collectors as a supervisor does, and nothing else: the executor `local` cannot tell the difference. */
export class Starter {
  readonly counts: Record<string, number> & { streamer: number } = { streamer: 0, collector: 0, gateway: 2 };
  readonly running: PipelineProcess[] = [];
  private started = 0;
  private highestTerm = 0;
  private readonly server: { stop(closeActive: boolean): Promise<void> };

  constructor(
    readonly socket: string,
    private readonly startCollector: (name: string) => PipelineProcess,
  ) {
    this.server = Bun.serve({ unix: socket, fetch: (request) => this.answer(request) });
  }

  scale(role: string, count: number): void {
    this.counts[role] = count;
    if (role !== "collector") return;
    while (this.running.length < count) this.running.push(this.startCollector(`collector-${(this.started += 1)}`));
    for (const stopping of this.running.splice(count)) stopping.subprocess.kill("SIGTERM");
  }

  stop(): Promise<void> {
    return this.server.stop(true);
  }

  private async answer(request: Request): Promise<Response> {
    const [, path, role] = new URL(request.url).pathname.split("/");
    if (path === "status") {
      const roles = Object.entries(this.counts).map(([name, count]) => [name, { count }]);
      return Response.json({ roles: Object.fromEntries(roles) as unknown });
    }
    const { count, term } = (await request.json()) as { readonly count: number; readonly term: number };
    if (term < this.highestTerm) return Response.json({ error: `term ${term} has ended` }, { status: 409 });
    this.highestTerm = term;
    // streamers and gateways are not what this bench is about
    if (role === "collector") this.scale(role, count);
    return Response.json({});
  }
}
