//! Huffman coding with the plainest of codes: 4 bits for a DC category, 8 bits for an AC symbol.

#[derive(Default)]
pub(crate) struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    pub(crate) fn put(&mut self, value: u32, count: u32) {
        self.held = self.held << count | u64::from(value) & ((1 << count) - 1);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.put(0x7f, 8 - self.count);
        }
        self.bytes
    }
}

/// All AC symbols that the coder uses, in the order of their codes.
fn symbols() -> Vec<u8> {
    (0..16).flat_map(|run| (0..=11).map(move |size| run << 4 | size)).collect()
}

/// The payload of the DHT segment.
pub(crate) fn tables() -> Vec<u8> {
    let symbols = symbols();
    let mut payload = vec![0x00, 0, 0, 0, 12];
    payload.extend([0; 12]);
    payload.extend(0..12);
    payload.extend([0x10, 0, 0, 0, 0, 0, 0, 0, symbols.len() as u8]);
    payload.extend([0; 8]);
    payload.extend(symbols);
    payload
}

/// Codes blocks of one scan, up to a restart marker.
pub(crate) struct Coder {
    progressive: bool,
    band: [u8; 4],
    predicted: Vec<i16>,
    /// Blocks that ended without a symbol yet, and the correction bits that follow it.
    ended: u32,
    pending: Vec<bool>,
}

impl Coder {
    pub(crate) fn new(progressive: bool, band: [u8; 4], components: usize) -> Self {
        Self { progressive, band, predicted: vec![0; components], ended: 0, pending: Vec::new() }
    }

    pub(crate) fn block(&mut self, bits: &mut Bits, component: usize, block: &[i16; 64]) {
        let [first, last, high, low] = self.band;
        if first == 0 {
            if high > 0 {
                bits.put((block[0] >> low) as u32, 1);
            } else {
                self.dc(bits, component, block[0] >> low);
            }
        }
        let coefficients = usize::from(first.max(1))..=usize::from(last);
        if high > 0 && first > 0 {
            self.refine(bits, coefficients, block);
        } else if last > 0 {
            self.ac(bits, coefficients, block);
        }
    }

    /// Ends the blocks that are to end; before a restart marker, and behind the last block.
    pub(crate) fn end(&mut self, bits: &mut Bits) {
        if self.ended > 0 {
            let power = self.ended.ilog2();
            symbol(bits, (power << 4) as u8);
            bits.put(self.ended - (1 << power), power);
            self.ended = 0;
        }
        for bit in self.pending.drain(..) {
            bits.put(bit.into(), 1);
        }
    }

    fn dc(&mut self, bits: &mut Bits, component: usize, value: i16) {
        let difference = value - self.predicted[component];
        self.predicted[component] = value;
        let size = size(difference);
        bits.put(size, 4);
        bits.put(raw(difference, size), size);
    }

    fn ac(&mut self, bits: &mut Bits, coefficients: std::ops::RangeInclusive<usize>, block: &[i16; 64]) {
        let (mut run, last) = (0, *coefficients.end());
        for k in coefficients {
            let value = shifted(block[k], self.band[3]);
            if value == 0 {
                run += 1;
                continue;
            }
            self.end(bits);
            while run > 15 {
                symbol(bits, 0xf0);
                run -= 16;
            }
            let size = size(value);
            symbol(bits, (run << 4) as u8 | size as u8);
            bits.put(raw(value, size), size);
            run = 0;
        }
        if run > 0 || last == 0 {
            self.end_block(bits);
        }
    }

    fn end_block(&mut self, bits: &mut Bits) {
        self.ended += 1;
        if !self.progressive || self.ended == 0x7fff {
            self.end(bits);
        }
    }

    fn refine(&mut self, bits: &mut Bits, coefficients: std::ops::RangeInclusive<usize>, block: &[i16; 64]) {
        let low = self.band[3];
        let is_new = |k: usize| shifted(block[k], low).abs() == 1;
        let last_new = coefficients.clone().rev().find(|k| is_new(*k));
        let (mut run, mut corrections) = (0, Vec::new());
        for k in coefficients {
            let value = shifted(block[k], low);
            if value.abs() > 1 {
                corrections.push(value & 1 != 0);
                continue;
            }
            if value == 0 {
                run += 1;
                if run == 16 && last_new.is_some_and(|last| k < last) {
                    self.end(bits);
                    symbol(bits, 0xf0);
                    corrections.drain(..).for_each(|bit| bits.put(u32::from(bit), 1));
                    run = 0;
                }
                continue;
            }
            self.end(bits);
            symbol(bits, (run << 4) as u8 | 1);
            bits.put(u32::from(value > 0), 1);
            corrections.drain(..).for_each(|bit| bits.put(u32::from(bit), 1));
            run = 0;
        }
        if run > 0 || !corrections.is_empty() {
            self.pending.extend(corrections);
            self.end_block(bits);
        }
    }
}

fn symbol(bits: &mut Bits, symbol: u8) {
    let code = symbols().iter().position(|s| *s == symbol).unwrap();
    bits.put(code as u32, 8);
}

/// Division by a power of two, towards 0 (ITU-T T.81, A.4).
fn shifted(value: i16, low: u8) -> i16 {
    value.signum() * (value.abs() >> low)
}

fn size(value: i16) -> u32 {
    16 - value.unsigned_abs().leading_zeros()
}

fn raw(value: i16, size: u32) -> u32 {
    (if value < 0 { i32::from(value) + (1 << size) - 1 } else { i32::from(value) }) as u32
}
