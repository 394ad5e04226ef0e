import type { ServerWebSocket, Subprocess } from "bun";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ControlPlane } from "../../dev/servers/kubernetes/control-plane.ts";

/** The first byte of each message of an exec, see
 *  https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/kubelet/pkg/cri/streaming/remotecommand/websocket.go */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const;

interface Exec {
  readonly command: readonly string[];
  child?: Subprocess<"pipe", "pipe", "pipe">;
}

/** What an API server asks of a node: logs of containers, and commands in them. A command runs on this machine, with one folder for
 *  the volume that every container has at /csv. */
export class TestKubelet {
  /** The volume. */
  readonly volume = mkdtempSync(join(tmpdir(), "test-kubelet-"));
  private readonly server: Bun.Server<Exec>;

  private constructor(folder: string) {
    const read = (name: string): string => readFileSync(join(folder, name), "utf8");
    this.server = Bun.serve<Exec>({
      ...{ hostname: "127.0.0.1", port: 0, idleTimeout: 60 },
      tls: { cert: read("server.pem"), key: read("server-key.pem") },
      fetch: (request, server) => this.answer(request, server),
      websocket: {
        open: (socket) => void this.run(socket),
        message: (socket, message) => passInput(socket, message),
        close: ({ data }) => data.child?.kill(),
      },
    });
  }

  static start({ caFile }: ControlPlane): TestKubelet {
    return new TestKubelet(dirname(caFile));
  }

  get port(): number {
    return this.server.port ?? 0;
  }

  stop(): void {
    void this.server.stop(true);
    rmSync(this.volume, { recursive: true });
  }

  private answer(request: Request, server: Bun.Server<Exec>): Response | undefined {
    const { pathname, searchParams } = new URL(request.url);
    const [, kind, , pod = ""] = pathname.split("/");
    if (kind === "containerLogs") return new Response(`a line of ${pod}\n`);
    if (kind !== "exec") return new Response(`${pathname} is not served`, { status: 404 });
    const headers = { "sec-websocket-protocol": "v5.channel.k8s.io" };
    const isUpgraded = server.upgrade(request, { data: { command: searchParams.getAll("command") }, headers });
    return isUpgraded ? undefined : new Response("expected a WebSocket", { status: 400 });
  }

  private async run(socket: ServerWebSocket<Exec>): Promise<void> {
    const command = socket.data.command.map((each) => each.replaceAll("/csv/", `${this.volume}/`));
    const child = Bun.spawn([...command], { stdio: ["pipe", "pipe", "pipe"] });
    socket.data.child = child;
    const pass = async (channel: number, from: ReadableStream<Uint8Array>): Promise<void> => {
      for await (const bytes of from) socket.send(Buffer.concat([Buffer.of(channel), bytes]));
    };
    await Promise.all([pass(channels.stdout, child.stdout), pass(channels.stderr, child.stderr)]);
    const code = await child.exited;
    const causes = [{ reason: "ExitCode", message: `${code}` }];
    const status =
      code === 0 ? { status: "Success" } : { status: "Failure", reason: "NonZeroExitCode", details: { causes } };
    socket.send(Buffer.concat([Buffer.of(channels.error), Buffer.from(JSON.stringify(status))]));
    socket.close(1000);
  }
}

/** A message with input for the command, or the end of it. */
function passInput({ data: { child } }: ServerWebSocket<Exec>, message: string | Buffer): void {
  const [channel, ...[closed]] = message as Buffer;
  if (child === undefined) return;
  if (channel === channels.stdin) void child.stdin.write((message as Buffer).subarray(1));
  else if (channel === channels.close && closed === channels.stdin) void child.stdin.end();
}
