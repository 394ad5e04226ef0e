/** A WebSocket whose other end is the test. */
export class ScriptedSocket {
  readonly OPEN = 1;
  readonly url = "ws://gateway/ws";
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** The types of the messages that the client sent. */
  readonly sent: string[] = [];

  send(text: string): void {
    this.sent.push((JSON.parse(text) as { readonly type: string }).type);
  }

  close(): void {
    // a test that expects a close replaces this method
  }

  /** Opens the connection. */
  open(): void {
    this.readyState = this.OPEN;
    this.onopen?.();
  }

  /** Delivers a message from the server. */
  receive(message: unknown): void {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  /** Closes the connection from the server's side. */
  closeFromServer(): void {
    this.onclose?.({ code: 1012, reason: "stopping" });
  }

  asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}
