import { Elysia } from "elysia";

/** More than the longest question may take, which is a PromQL query of 2 minutes; and the most that Bun accepts. */
const answerMaxSeconds = 255;

/** Lets an answer take its time. Elysia has Bun close a connection on which nothing was sent for 30 s, also while the answer is being made.
 *  Mount it before the routes: those that read a long body themselves lift the limit. */
export function slowAnswers() {
  return new Elysia({ name: "slow-answers" }).onTransform({ as: "global" }, ({ request, server }) => {
    server?.timeout(request, answerMaxSeconds);
  });
}
