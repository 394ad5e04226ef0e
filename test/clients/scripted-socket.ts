/** A WebSocket whose other end is the test. */
export class ScriptedSocket {
  readonly OPEN = 1;
  readonly url = "ws://gateway/ws";
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly sent: string[] = [];
  isClosedByClient = false;

  send(text: string): void {
    this.sent.push((JSON.parse(text) as { readonly type: string }).type);
  }

  close(): void {
    this.isClosedByClient = true;
  }

  /** The connection opens. */
  open(): void {
    this.readyState = this.OPEN;
    this.onopen?.();
  }

  /** The other end sends a message. */
  receive(message: unknown): void {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  /** The other end closes the connection. */
  closeFromServer(): void {
    this.onclose?.({ code: 1012, reason: "stopping" });
  }

  asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}
