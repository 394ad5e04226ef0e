import type { SignInPlace } from "../../../access/sign-in.ts";

/** A person has opened a page, and must sign in first. The browser is led to the page for that. */
export class SignInNeeded extends Error {
  readonly location: string;

  /** @param target the path and query of the page */
  constructor({ publicUrl }: SignInPlace, target: string) {
    super("sign in first");
    this.location = `${publicUrl}/sign-in?return_to=${encodeURIComponent(target)}`;
  }
}
