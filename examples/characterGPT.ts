/** A small GPT learns a sonnet by heart, character by character, and recites it from its first words. */
import * as nn from "@ddad/nn";
import { runDirectly } from "./run.ts";

const poem = `Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date;
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade,
Nor lose possession of that fair thou ow'st;
Nor shall death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st:
So long as men can breathe or eyes can see,
So long lives this, and this gives life to thee.
`;
const alphabet = [...new Set(poem)].sort();
const encode = (text: string) => Int32Array.from(text, (character) => alphabet.indexOf(character));
type Indices = nn.Tensor<"i32">;
const [context, width, heads, layers] = [32, 64, 4, 2];

class Block extends nn.Module {
  norm1 = new nn.LayerNorm(width);
  attention = new nn.MultiheadAttention(width, heads);
  norm2 = new nn.LayerNorm(width);
  mlp = new nn.Sequential(new nn.Linear(width, 4 * width), new nn.GELU(), new nn.Linear(4 * width, width));
  forward(x: nn.Tensor): nn.Tensor {
    const h = this.norm1.forward(x);
    const seen = x.add(this.attention.forward(h, h, h, { causal: true })); // no character sees a later one
    return seen.add(this.mlp.forward(this.norm2.forward(seen)));
  }
}

class GPT extends nn.Module {
  characters = new nn.Embedding(alphabet.length, width);
  positions = new nn.Embedding(context, width);
  blocks = Array.from({ length: layers }, () => new Block());
  norm = new nn.LayerNorm(width);
  head = new nn.Linear(width, alphabet.length);
  /** indices [N, context] → logits of each next character [N, context, characters] */
  forward(indices: Indices): nn.Tensor {
    const places = nn.arange(context, { dtype: "i32" });
    let x = this.characters.forward(indices).add(this.positions.forward(places));
    for (const block of this.blocks) x = block.forward(x);
    return this.head.forward(this.norm.forward(x));
  }
}

export async function characterGPT({ epochs = 15, letters = 160, print = console.log } = {}) {
  using gpt = new GPT();
  using optimizer = new nn.AdamW(gpt, { learningRate: 3e-3 });
  const text = encode(poem);
  const window = (k: number) => ({ x: text.slice(k, k + context), next: text.slice(k + 1, k + 1 + context) });
  const windows = { length: text.length - context, get: window };
  const loader = new nn.DataLoader(windows, { batchSize: 16, shuffle: true, dropLast: true });
  const step = optimizer.compileStep((x: Indices, next: Indices) => nn.crossEntropy(gpt.forward(x), next));
  const losses: number[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    let loss: nn.Tensor | undefined;
    for await (const { x, next } of loader) loss = await step(x, next);
    losses.push(await loss!.item());
    print(`epoch ${epoch}: loss ${losses.at(-1)!.toFixed(2)}`);
  }
  const predict = nn.compile((x: Indices) => gpt.forward(x).argmax(-1)); // the likeliest next characters
  let sample = "Shall I";
  while (sample.length < letters) {
    const seen = encode(sample.slice(-context));
    const padded = Int32Array.from({ length: context }, (_, k) => seen[k] ?? 0); // what follows is not seen
    const next = await predict(nn.tensor(padded, [1, context])).then((indices) => indices.data());
    sample += alphabet[next[seen.length - 1]!];
  }
  print(`\n${sample}`);
  return { losses, sample };
}

void runDirectly(import.meta.url, characterGPT);
