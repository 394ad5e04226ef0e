import type { DocumentNode, ExecutionArgs, GraphQLError, GraphQLSchema } from "graphql";
import { GRAPHQL_TRANSPORT_WS_PROTOCOL, makeServer, type OperationResult, type Server } from "graphql-ws";
import { ApiFault } from "../../api-fault.ts";

/** How an operation is answered, with all plugins. */
interface Operation {
  readonly schema: GraphQLSchema;
  parse(text: string): DocumentNode | Promise<DocumentNode>;
  validate(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] | Promise<readonly GraphQLError[]>;
  contextFactory(): Promise<object>;
  readonly execute: (args: ExecutionArgs) => OperationResult;
  readonly subscribe: (args: ExecutionArgs) => OperationResult;
}

/** What is used of Yoga. */
export interface Yoga {
  getEnveloped(context: object): Operation;
}

/** What is used of Bun's server. */
interface SocketServer {
  upgrade(
    request: Request,
    options: { readonly data: GraphqlSocket; readonly headers: Record<string, string> },
  ): boolean;
}

type Wire = Pick<Bun.ServerWebSocket<GraphqlSocket>, "send" | "close" | "getBufferedAmount">;

/** Bytes in Bun's buffer beyond which nothing more is sent until it is empty. */
const behindBytes = 64 * 1024;
/** The service restarts, and the client does well to connect again. */
const restarting = 1012;

/** Clients that speak graphql-transport-ws at /graphql.
 *  Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
export class GraphqlSockets {
  private readonly sockets = new Set<GraphqlSocket>();
  private readonly protocol: Server<{ readonly request: Request }>;

  constructor(
    yoga: () => Yoga,
    private readonly most: number,
    private readonly stopping: AbortSignal,
  ) {
    this.protocol = makeServer({
      execute: (args) => operationOf(args).execute(args),
      subscribe: (args) => operationOf(args).subscribe(args),
      onSubscribe: async ({ extra }, _, params) => {
        const { schema, execute, subscribe, ...operation } = yoga().getEnveloped({ request: extra.request, params });
        const document = await operation.parse(params.query);
        const errors = await operation.validate(schema, document);
        if (errors.length > 0) return errors;
        const { operationName, variables: variableValues } = params;
        const contextValue = await operation.contextFactory();
        return { schema, document, operationName, variableValues, contextValue, rootValue: { execute, subscribe } };
      },
    });
    stopping.addEventListener("abort", () => {
      for (const socket of this.sockets) socket.end(restarting, "this gateway is stopping; connect again");
    });
  }

  /** Makes a WebSocket of a request that asks for one.
   *  @throws ApiFault where there is no room for it */
  upgrade(request: Request, server: SocketServer | null): void {
    if (this.stopping.aborted || this.sockets.size >= this.most) {
      const message = this.stopping.aborted
        ? "This gateway is stopping; connect again"
        : `There are ${this.most} connections to /graphql already, as many as WS_MAX_CONNECTIONS allows`;
      throw new ApiFault(503, "no_room", { message, details: {} });
    }
    const socket = new GraphqlSocket(request, this.protocol, () => this.sockets.delete(socket));
    this.sockets.add(socket);
    const headers = { "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL };
    if (server?.upgrade(request, { data: socket, headers }) === true) return;
    this.sockets.delete(socket);
    throw new ApiFault(400, "invalid_parameter", { message: "This is no WebSocket handshake", details: {} });
  }
}

/** What `onSubscribe` has found for the operation. */
function operationOf({ rootValue }: ExecutionArgs): Pick<Operation, "execute" | "subscribe"> {
  return rootValue as Pick<Operation, "execute" | "subscribe">;
}

/** One client's connection. Bun calls open, message, drain and close. */
export class GraphqlSocket {
  private wire: Wire | undefined;
  private onMessage: (text: string) => Promise<void> = () => Promise.resolve();
  private onClosed: (code: number, reason: string) => void = () => undefined;
  private readonly onDrained: (() => void)[] = [];

  constructor(
    private readonly request: Request,
    private readonly protocol: Server<{ readonly request: Request }>,
    private readonly onEnd: () => void,
  ) {}

  /** Called by Bun. */
  open(wire: Wire): void {
    this.wire = wire;
    const socket = {
      protocol: this.request.headers.get("sec-websocket-protocol")?.split(",")[0]?.trim() ?? "",
      send: (text: string) => this.send(text),
      close: (code?: number, reason?: string) => wire.close(code, reason),
      onMessage: (take: GraphqlSocket["onMessage"]) => void (this.onMessage = take),
    };
    const onClosed = this.protocol.opened(socket, { request: this.request });
    this.onClosed = (code, reason) => void onClosed(code, reason);
  }

  /** Called by Bun. */
  message(_wire: Wire, sent: string | Uint8Array): void {
    const text = typeof sent === "string" ? sent : new TextDecoder().decode(sent);
    // 4400 is the protocol's word for a message that cannot be read, 4500 for what went wrong here
    this.onMessage(text).catch(() => this.end(4500, "the message failed inside the server"));
  }

  /** Called by Bun, when its buffer is empty again. */
  drain(): void {
    for (const resolve of this.onDrained.splice(0)) resolve();
  }

  /** Called by Bun. */
  close(_wire: Wire, code: number, reason: string): void {
    this.drain();
    this.onEnd();
    this.onClosed(code, reason);
  }

  end(code: number, reason: string): void {
    this.wire?.close(code, reason);
  }

  /** Resolves when the client has taken what was sent before: nothing is made for one that does not read. */
  private async send(text: string): Promise<void> {
    const { wire } = this;
    if (wire === undefined) return;
    wire.send(text);
    if (wire.getBufferedAmount() < behindBytes) return;
    await new Promise<void>((resolve) => this.onDrained.push(resolve));
  }
}
