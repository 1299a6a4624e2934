//! Makes JPEGs of given coefficients, of any kind the standard knows, and tells what they must look like.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod encoded;
pub(crate) mod entropy;
pub(crate) mod reference;

use entropy::Bits;

/// A little chance, the same each time.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }
}

/// A component: its coefficients in zigzag order, block by block, those included that pad the last MCUs.
#[derive(Clone)]
pub(crate) struct Component {
    pub(crate) id: u8,
    pub(crate) h: usize,
    pub(crate) v: usize,
    pub(crate) quantisation: [u16; 64],
    pub(crate) across: usize,
    pub(crate) down: usize,
    pub(crate) blocks: Vec<[i16; 64]>,
}

/// Which components a scan brings, its first and last coefficient, and their bits.
pub(crate) type Scan = (Vec<usize>, [u8; 4]);

#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) components: Vec<Component>,
    /// The code of the frame header: C0, C1 or C2.
    pub(crate) process: u8,
    pub(crate) restart_interval: u16,
    /// Written before the frame header.
    pub(crate) segments: Vec<(u8, Vec<u8>)>,
    /// Whether the number of lines comes behind the first scan.
    pub(crate) lines_later: bool,
    pub(crate) scans: Vec<Scan>,
}

impl Source {
    /// A picture of random, mostly gentle coefficients, with the given sampling factors, in one scan.
    pub(crate) fn random(width: usize, height: usize, factors: &[(usize, usize)], seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let (h_max, v_max) = max_factors(factors);
        let (mcus_across, mcus_down) = (width.div_ceil(8 * h_max), height.div_ceil(8 * v_max));
        let components = factors.iter().zip(1..).map(|(&(h, v), id)| {
            let (across, down) = (mcus_across * h, mcus_down * v);
            let mut dc = 0;
            let blocks = (0..across * down)
                .map(|_| {
                    dc = (dc + chance.below(31) as i16 - 15).clamp(-60, 60);
                    block(&mut chance, dc)
                })
                .collect();
            let quantisation = std::array::from_fn(|k| 8 + (k as u16 % 5));
            Component { id, h, v, quantisation, across, down, blocks }
        });
        let components: Vec<_> = components.collect();
        Self {
            width,
            height,
            process: 0xc0,
            restart_interval: 0,
            segments: Vec::new(),
            lines_later: false,
            scans: vec![((0..components.len()).collect(), [0, 63, 0, 0])],
            components,
        }
    }

    pub(crate) fn max_factors(&self) -> (usize, usize) {
        max_factors(&self.components.iter().map(|c| (c.h, c.v)).collect::<Vec<_>>())
    }

    /// The whole file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8];
        for (code, payload) in &self.segments {
            push(&mut file, *code, payload);
        }
        for (number, component) in self.components.iter().enumerate() {
            let wide = component.quantisation.iter().any(|q| *q > 255);
            let mut payload = vec![number as u8 | u8::from(wide) << 4];
            for q in component.quantisation {
                payload.extend(&q.to_be_bytes()[usize::from(!wide)..]);
            }
            push(&mut file, 0xdb, &payload);
        }
        let height = if self.lines_later { 0 } else { self.height as u16 };
        let mut frame = vec![8];
        frame.extend(height.to_be_bytes());
        frame.extend((self.width as u16).to_be_bytes());
        frame.push(self.components.len() as u8);
        for (number, c) in self.components.iter().enumerate() {
            frame.extend([c.id, (c.h << 4 | c.v) as u8, number as u8]);
        }
        push(&mut file, self.process, &frame);
        push(&mut file, 0xc4, &entropy::tables());
        if self.restart_interval > 0 {
            push(&mut file, 0xdd, &self.restart_interval.to_be_bytes());
        }
        for (number, scan) in self.scans.iter().enumerate() {
            self.scan(&mut file, scan);
            if number == 0 && self.lines_later {
                push(&mut file, 0xdc, &(self.height as u16).to_be_bytes());
            }
        }
        file.extend([0xff, 0xd9]);
        file
    }

    fn scan(&self, file: &mut Vec<u8>, (components, band): &Scan) {
        let mut payload = vec![components.len() as u8];
        components.iter().for_each(|c| payload.extend([self.components[*c].id, 0]));
        payload.extend([band[0], band[1], band[2] << 4 | band[3]]);
        push(file, 0xda, &payload);
        let mut coder = entropy::Coder::new(self.process == 0xc2, *band, self.components.len());
        let mut bits = Bits::default();
        let mcus = self.mcus(components);
        for (number, mcu) in mcus.iter().enumerate() {
            if self.restart_interval > 0 && number > 0 && number % usize::from(self.restart_interval) == 0 {
                coder.end(&mut bits);
                file.extend(std::mem::take(&mut bits).finish());
                let marker = (number / usize::from(self.restart_interval) - 1) % 8;
                file.extend([0xff, 0xd0 + marker as u8]);
                coder = entropy::Coder::new(self.process == 0xc2, *band, self.components.len());
            }
            for (component, block) in mcu {
                coder.block(&mut bits, *component, &self.components[*component].blocks[*block]);
            }
        }
        coder.end(&mut bits);
        file.extend(bits.finish());
    }

    /// For each MCU of a scan, its blocks: component and index.
    fn mcus(&self, components: &[usize]) -> Vec<Vec<(usize, usize)>> {
        let (h_max, v_max) = self.max_factors();
        if let [only] = components {
            let c = &self.components[*only];
            let (h, v) = if self.components.len() == 1 { (h_max, v_max) } else { (c.h, c.v) };
            let (wide, high) = ((self.width * h).div_ceil(8 * h_max), (self.height * v).div_ceil(8 * v_max));
            let index = |at: usize| at / wide * c.across + at % wide;
            return (0..wide * high).map(|at| vec![(*only, index(at))]).collect();
        }
        let (wide, high) = (self.width.div_ceil(8 * h_max), self.height.div_ceil(8 * v_max));
        let mut mcus = Vec::new();
        for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
            let mut mcu = Vec::new();
            for c in components {
                let of = &self.components[*c];
                for (j, i) in (0..of.v).flat_map(|j| (0..of.h).map(move |i| (j, i))) {
                    mcu.push((*c, (y * of.v + j) * of.across + x * of.h + i));
                }
            }
            mcus.push(mcu);
        }
        mcus
    }
}

fn max_factors(factors: &[(usize, usize)]) -> (usize, usize) {
    (factors.iter().map(|f| f.0).max().unwrap(), factors.iter().map(|f| f.1).max().unwrap())
}

/// Few coefficients or many, small ones and large ones, at the end of the block, too.
fn block(chance: &mut Chance, dc: i16) -> [i16; 64] {
    let mut block = [0; 64];
    block[0] = dc;
    let many = [0, 1, 3, 8, 30, 63][chance.below(6)];
    for _ in 0..many {
        let k = 1 + chance.below(63).min(chance.below(63));
        let size = 1 + 12 / k;
        block[k] = chance.below(2 * size + 1) as i16 - size as i16;
    }
    if chance.below(20) == 0 {
        block[63] = 1;
    }
    if chance.below(50) == 0 {
        block[1 + chance.below(40)] = chance.below(200) as i16 - 100;
    }
    block
}

pub(crate) fn push(file: &mut Vec<u8>, code: u8, payload: &[u8]) {
    file.extend([0xff, code]);
    file.extend((payload.len() as u16 + 2).to_be_bytes());
    file.extend(payload);
}

/// The scans that libjpeg writes for pictures of three components, or fewer of them for one.
pub(crate) fn progressive_scans(components: usize) -> Vec<Scan> {
    let all: Vec<_> = (0..components).collect();
    let mut scans = vec![(all.clone(), [0, 0, 0, 1]), (vec![0], [1, 5, 0, 2])];
    for c in 1..components {
        scans.push((vec![c], [1, 63, 0, 1]));
    }
    scans.extend([(vec![0], [6, 63, 0, 2]), (vec![0], [1, 63, 2, 1]), (all, [0, 0, 1, 0])]);
    for c in (0..components).rev() {
        scans.push((vec![c], [1, 63, 1, 0]));
    }
    scans
}
