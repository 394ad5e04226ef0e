/** What a request shows to say who sends it. */
export type Credential =
  /** The key or the token of its Authorization header. */
  | { readonly kind: "bearer"; readonly text: string }
  /** The ticket in the URL of a WebSocket. */
  | { readonly kind: "ticket"; readonly text: string }
  /** The cookie of a person who has signed in. */
  | { readonly kind: "session"; readonly text: string };
