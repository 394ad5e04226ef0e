import { EtcdUnavailable } from "../domain/errors.ts";
import { type Endpoint, type EtcdClientOptions, openEndpoint } from "./etcd-endpoint.ts";

/** The endpoints of a client. One is in use until it fails, then the next. */
export class EtcdEndpoints {
  private readonly opened: Endpoint[];
  private inUse: number;
  private tls: EtcdClientOptions["tls"];
  private hasNoUser = false;
  private isClosed = false;

  constructor(private readonly options: EtcdClientOptions) {
    this.tls = options.tls;
    this.opened = options.endpoints.map((url) => this.open(url));
    // spreads many clients over the members
    this.inUse = Math.floor(Math.random() * this.opened.length);
  }

  /** The URLs, for messages. */
  get description(): string {
    return this.options.endpoints.join(",");
  }

  /** The index of the endpoint in use. */
  get current(): number {
    return this.inUse;
  }

  get all(): readonly Endpoint[] {
    return this.opened;
  }

  /** True if there is a user, but authentication is off in etcd. */
  get isAuthOff(): boolean {
    return this.hasNoUser;
  }

  /** @throws EtcdUnavailable if the endpoints are closed */
  at(index: number): Endpoint {
    if (this.isClosed) throw new EtcdUnavailable(`the connection to etcd at ${this.description} is closed`);
    return this.opened[index] as Endpoint;
  }

  /** Switches to the next endpoint, but only once if several calls failed at the same endpoint. Renewed certificates may be why the endpoint
   *  failed: if there are some, all endpoints are opened again with them. */
  leave(index: number): void {
    if (index === this.inUse) this.inUse = (index + 1) % this.opened.length;
    const renewed = this.isClosed ? undefined : this.options.renewedTls?.();
    if (renewed === undefined) return;
    this.tls = renewed;
    this.opened.forEach((_, each) => this.reopen(each));
  }

  /** Opens an endpoint again, without the user while authentication is off: etcd then gives no tokens. */
  switchUser(endpoint: Endpoint, isAuthOff: boolean): Endpoint {
    const index = this.opened.indexOf(endpoint);
    // another call has switched already
    if (index < 0) return this.at(this.opened.findIndex(({ url }) => url === endpoint.url));
    this.hasNoUser = isAuthOff;
    return this.reopen(index);
  }

  close(): void {
    this.isClosed = true;
    for (const { pool } of this.opened) pool.close();
  }

  private reopen(index: number): Endpoint {
    const { url, pool } = this.opened[index] as Endpoint;
    const opened = this.open(url);
    this.opened[index] = opened;
    pool.close();
    return opened;
  }

  private open(url: string): Endpoint {
    const { user } = this.options;
    return openEndpoint(url, { tls: this.tls, user: this.hasNoUser ? undefined : user });
  }
}
