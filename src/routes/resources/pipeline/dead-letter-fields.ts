import { Type } from "@sinclair/typebox";
import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import type { DeadLetterPage } from "../../answers/dead-letters.ts";
import { deadLettersQuery, letterParams } from "./pipeline-routes.ts";
import type { OutputTypes } from "../../graphql-kit/types/output-types.ts";
import { type Field, type FieldMaker, limitOf } from "../../graphql-kit/field.ts";

/** Messages that were given up, to look at. */
export function deadLetterFields(types: OutputTypes, fields: FieldMaker): Record<string, Field> {
  return {
    deadLetters: fields.field({
      type: new GraphQLNonNull(pageType(types)),
      description: "Messages that were given up, the oldest first",
      takes: deadLettersQuery,
      size: limitOf,
      resolve: (_, { limit = 100, cursor }, { beyond }) => beyond.deadLetters.page(limit, cursor),
    }),
    deadLetter: fields.field({
      type: types.of("DeadLetter"),
      description: "One message that was given up",
      takes: letterParams,
      resolve: (_, { id }, { beyond }) => beyond.deadLetters.show(id),
    }),
  };
}

/** What operators do about them. */
export function deadLetterMutations(types: OutputTypes, fields: FieldMaker): Record<string, Field> {
  return {
    redriveDeadLetter: fields.field({
      type: new GraphQLNonNull(types.of("DeadLetter")),
      description: "Puts a message back into the queue, its attempts from 0; gives the letter as it was",
      takes: letterParams,
      resolve: (_, { id }, { beyond }) => beyond.deadLetters.redrive(id),
    }),
    redriveDeadLetters: fields.field({
      type: types.listOf("DeadLetter"),
      description: "The same for the oldest ones, at most limit of them; gives those that were put back",
      takes: Type.Pick(deadLettersQuery, ["limit"]),
      size: limitOf,
      resolve: (_, { limit = 100 }, { beyond }) => beyond.deadLetters.redriveOldest(limit),
    }),
    deleteDeadLetter: fields.field({
      type: new GraphQLNonNull(types.of("DeadLetter")),
      description: "Drops a message for good, and its records with it; gives the letter as it was",
      takes: letterParams,
      resolve: (_, { id }, { beyond }) => beyond.deadLetters.delete(id),
    }),
  };
}

function pageType(types: OutputTypes): GraphQLObjectType {
  return new GraphQLObjectType<DeadLetterPage>({
    name: "DeadLetterPage",
    description: "A part of the list of dead letters",
    fields: {
      letters: { type: types.listOf("DeadLetter"), extensions: { size: () => 1 } },
      nextCursor: {
        type: GraphQLString,
        description: "Give it as cursor for the later ones; null at the end",
        resolve: ({ next }) => next,
      },
    },
  });
}
