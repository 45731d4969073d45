// The flow of three steps as Restate's SDK has it: what is done in each is journaled. Serves on the port that it is given.
import * as restate from "@restatedev/restate-sdk";

const three = restate.service({
  name: "Three",
  handlers: {
    run: async (ctx, wish) => {
      await ctx.run("first", () => wish.caller);
      await ctx.run("second", () => wish.caller);
      return await ctx.run("third", () => wish.caller);
    },
  },
});

restate.serve({ services: [three], port: Number(process.argv[2]) });
