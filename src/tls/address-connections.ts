import { clientNetwork } from "../kit/ip-address.ts";

/** Counts the open connections of each IPv4 address and of each IPv6 network of 64 bits. */
export class AddressConnections {
  private readonly open = new Map<string, number>();

  /** @param max of one address; 0: no limit
   *  @param exempts returns true for an address that may have any number */
  constructor(
    private readonly max: number,
    private readonly exempts: (address: string) => boolean,
  ) {}

  /** Counts a connection.
   *  @param address undefined: not known, because the client has left already
   *  @returns a function to call once at the connection's end; undefined if its address has as many as it may have */
  add(address: string | undefined): (() => void) | undefined {
    if (this.max === 0 || address === undefined || this.exempts(address)) return () => undefined;
    const network = clientNetwork(address) ?? address;
    const others = this.open.get(network) ?? 0;
    if (others >= this.max) return undefined;
    this.open.set(network, others + 1);
    return () => this.end(network);
  }

  private end(network: string): void {
    const left = (this.open.get(network) ?? 0) - 1;
    if (left > 0) this.open.set(network, left);
    else this.open.delete(network);
  }
}
