import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMemoryTier, ENTRY_OVERHEAD } from '../../src/cache/memory.js';

const keys = Array.from({ length: 20 }, (_, i) => i.toString(16).padStart(64, '0'));

test('behaves as a list of the last used, and never exceeds its capacity', () => {
  const capacity = 5 * (100 + ENTRY_OVERHEAD);
  const action = fc.record({ key: fc.nat(19), put: fc.boolean(), size: fc.integer({ min: 1, max: 250 }) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const tier = createMemoryTier(capacity);
      /** Newest last. */
      let model: { key: string; value: Uint8Array }[] = [];
      const cost = () => model.reduce((sum, e) => sum + e.value.byteLength + ENTRY_OVERHEAD, 0);
      for (const { key: number, put, size } of actions) {
        const key = keys[number] as string;
        const known = model.find((entry) => entry.key === key);
        if (put) {
          const value = new Uint8Array(size);
          tier.put(key, value);
          model = model.filter((entry) => entry !== known);
          model.push({ key, value });
          while (cost() > capacity) model.shift();
        } else {
          const value = tier.get(key, known?.value.byteLength ?? size);
          assert.equal(value, known?.value);
          if (known) model.push(...model.splice(model.indexOf(known), 1));
        }
        assert.equal(tier.bytes, cost());
        assert.ok(tier.bytes <= capacity);
      }
    }),
  );
});

test('hands out the stored buffer itself, and copies a view into a larger one when it is put', () => {
  const tier = createMemoryTier(1 << 20);
  const whole = new Uint8Array(1000);
  tier.put(keys[0] as string, whole);
  assert.equal(tier.get(keys[0] as string, 1000), whole);
  for (const view of [whole.subarray(10, 20), Buffer.from('short')]) {
    tier.put(keys[1] as string, view);
    assert.equal(tier.get(keys[1] as string, view.byteLength)?.buffer.byteLength, view.byteLength);
  }
});

test('another length is absent; what is larger than the tier is not kept; what was dropped is gone', () => {
  const tier = createMemoryTier(2000);
  tier.put(keys[0] as string, new Uint8Array(100));
  assert.equal(tier.get(keys[0] as string, 99), undefined);
  tier.put(keys[1] as string, new Uint8Array(2000));
  assert.equal(tier.get(keys[1] as string, 2000), undefined);
  assert.ok(tier.contains(keys[0] as string, 100));
  tier.drop(keys[0] as string);
  assert.equal(tier.bytes, 0);
  assert.ok(tier.canHold(900));
  assert.ok(!tier.canHold(2000));
});
