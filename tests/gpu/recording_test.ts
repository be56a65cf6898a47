import assert from "node:assert/strict";
import type { Dispatch } from "../../lib/gpu/dispatch.ts";
import { Recording } from "../../lib/gpu/recording.ts";
import type { Tensor, TensorOwner } from "../../lib/gpu/tensor.ts";

/** A recording on no GPU, with a way to dispatch something that touches some tensors. */
function recording() {
  const made = new Recording({} as TensorOwner);
  const dispatch = (...tensors: Tensor[]) => made.dispatch({ tensors } as unknown as Dispatch);
  return { made, dispatch, empty: (n: number) => made.empty([n], "temporary", "f32") };
}

Deno.test("Recording.lifetimes() spans the dispatches that touch a temporary, by any view", () => {
  const { made, dispatch, empty } = recording();
  const [a, b, unused] = [empty(4), empty(5), empty(4)];
  dispatch(a);
  dispatch(a, b);
  dispatch({ storage: b.storage } as Tensor);
  const lives = made.lifetimes(undefined);
  assert.deepEqual(lives.get(a.storage), { bytes: 16, first: 0, last: 1 });
  assert.deepEqual(lives.get(b.storage), { bytes: 32, first: 1, last: 2 });
  assert.equal(lives.has(unused.storage), false);
});

Deno.test("Recording.lifetimes() keeps what is returned from start to end", () => {
  const { made, dispatch, empty } = recording();
  const [a, b] = [empty(4), empty(4)];
  dispatch(a);
  dispatch(a, b);
  dispatch(a);
  const lives = made.lifetimes({ list: [b] });
  assert.deepEqual(lives.get(b.storage), { bytes: 16, first: 0, last: 3 });
});

Deno.test("Recording.lifetimes() keeps what a pause reads until then, and leaves out other memory", () => {
  const { made, dispatch, empty } = recording();
  const [a, b] = [empty(4), empty(4)];
  const own = { storage: { bytes: 16, destroyed: false, label: "own" } } as Tensor;
  made.own(own.storage);
  dispatch(a, own);
  dispatch(b);
  made.pause(async () => {}, [a, own]);
  dispatch(b);
  const lives = made.lifetimes(undefined);
  assert.deepEqual(lives.get(a.storage), { bytes: 16, first: 0, last: 2 });
  assert.equal(lives.has(own.storage), false);
  assert.deepEqual(made.owned, [own.storage]);
  assert.equal(made.pauses[0].at, 2);
});
