// Pacing: every request has a slot, the instant at which it is due. Threads take the next slot from one
// shared counter and wait until then, so the rate is the asked one whatever a request takes, and a
// thread that comes late knows by how much. The slot also says which request it is for, so the mix is
// exact over any stretch of time.
// This script only starts the clock, once a test. The Switch Controller calls take(ctx) for every request:
// one of the names in MIX, or the end. (A script called for every request would cost as much processor
// time as the request itself: JMeter makes a new script engine each time.) Beside the name it sets
//   REQUEST_ID  an id no other request has, so that an answer can be told to be the answer to this one
//   late_ms     how late the request starts after its due time, milliseconds
//   waited      1: a thread waited idle for this slot; 0: the slot was overdue, every thread was busy
//               (2 is for whoever sends something without a slot)
// Name the last two in sample_variables and they stand in the JTL beside each sample.
// Slots that have not started when their stage ends are dropped: a backlog never leaks into the next stage.
// Where STAGES says so, a stage has fewer threads than the test: the others sleep until a later one.
// takeOwn(ctx) is for a thread that is a connection: of the slots at TARGET_RPS a second, thread i of n has
// every n-th, so that all threads together send evenly. It begins at i / n of the ramp-up (beginOwn) and has
// slots from (i + 1/2) / n on.
import groovy.transform.CompileStatic
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicLong
import java.util.concurrent.locks.LockSupport
import java.util.regex.Matcher
import java.util.regex.Pattern
import org.apache.jmeter.engine.util.CompoundVariable
import org.apache.jmeter.functions.Jexl3Function
import org.apache.jmeter.protocol.http.sampler.HTTPSamplerProxy
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterVariables
import org.apache.jorphan.util.JMeterStopTestException
import org.slf4j.Logger
import org.slf4j.LoggerFactory

@CompileStatic
class Stage {
    double seconds, fromPerS, toPerS
    int threads
    long startNs, lastsNs, slots
    AtomicLong next = new AtomicLong()

    // The rate is linear within a stage; the k-th request is due when its integral reaches k.
    long dueNs(long k) {
        double slope = (toPerS - fromPerS) / seconds
        double t = slope == 0.0d ? k / fromPerS : (Math.sqrt(fromPerS * fromPerS + 2.0d * slope * k) - fromPerS) / slope
        return startNs + (long) (t * 1e9d)
    }
}

@CompileStatic
class Pacer {
    final Object engine
    final List<Stage> stages = []
    final String[] mix
    final AtomicLong taken = new AtomicLong()
    final AtomicBoolean ended = new AtomicBoolean()
    final AtomicInteger leaving = new AtomicInteger()
    final String test = UUID.randomUUID().toString().substring(0, 8)
    static final String END = 'default'
    static final Pattern STAGE = ~/.*: ([0-9.]+) s, ([0-9.]+) to ([0-9.]+) a second, ([0-9]+) threads/
    static final Logger log = LoggerFactory.getLogger('pacing')

    final long startNs
    final double duration, rampUp, rate
    final int threads
    final Map<Integer, long[]> own = new ConcurrentHashMap<>()

    Pacer(Object engine, JMeterVariables vars) {
        this.engine = engine
        mix = interleave(vars.get('MIX') ?: '100% next')
        duration = number(vars, 'DURATION')
        rampUp = Math.min(number(vars, 'RAMP_UP'), duration)
        rate = number(vars, 'TARGET_RPS')
        threads = (int) number(vars, 'THREADS')
        if (rate <= 0.0d) throw new JMeterStopTestException("TARGET_RPS must be above 0, not " + rate)
        loadWhatTheFirstRequestNeeds()
        startNs = System.nanoTime()
        double at = 0.0d
        for (double[] s : shape(vars.get('STAGES'))) {
            if (s[0] <= 0.0d) continue
            long slots = (long) Math.ceil((s[1] + s[2]) / 2.0d * s[0] - 1e-9d)
            stages << new Stage(seconds: s[0], fromPerS: s[1], toPerS: s[2], threads: (int) s[3], slots: slots,
                startNs: startNs + (long) (at * 1e9d), lastsNs: (long) (s[0] * 1e9d))
            at += s[0]
        }
    }

    // Seconds, rate at the start, rate at the end, threads of each stage.
    private List<double[]> shape(String text) {
        if (!text) return [[rampUp, 0.0d, rate, threads] as double[], [duration - rampUp, rate, rate, threads] as double[]]
        List<double[]> shape = []
        for (String part : text.split(';')) {
            Matcher m = STAGE.matcher(part)
            if (!m.matches()) throw new JMeterStopTestException('STAGES: cannot read "' + part.trim() + '"')
            shape << ((1..4).collect { Double.parseDouble(m.group((int) it)) } as double[])
        }
        double lasts = 0.0d, peak = 0.0d, most = 0.0d
        for (double[] s : shape) {
            lasts += s[0]
            peak = Math.max(peak, Math.max(s[1], s[2]))
            most = Math.max(most, s[3])
        }
        double time = duration / lasts, share = rate / peak, each = threads / most
        return shape.collect { double[] s ->
            [s[0] * time, s[1] * share, s[2] * share, Math.ceil(s[3] * each - 1e-9d)] as double[]
        }
    }

    // A request to a closed port loads the HTTP client, which takes 0.3 s, and an expression its language:
    // before the clock starts, not between the first slots and their requests.
    private static void loadWhatTheFirstRequestNeeds() {
        new HTTPSamplerProxy(path: 'http://127.0.0.1:9/', method: 'GET').sample()
        Jexl3Function jexl = new Jexl3Function()
        jexl.setParameters([new CompoundVariable('props.get("TARGET_RPS")')])
        jexl.execute(null, null)
    }

    // "20% GET /health; 80% GET /tools" as a cycle of names in which each is spread evenly: every turn
    // each gains its weight, and the one with the most is taken and pays the sum of all.
    static String[] interleave(String text) {
        String[] parts = text.split(';')
        String[] names = parts.collect { it.substring(it.indexOf('%') + 1).trim() } as String[]
        long[] weights = parts.collect { Math.round(Double.parseDouble(it.substring(0, it.indexOf('%'))) * 100) } as long[]
        long sum = 0, divisor = 0
        for (long w : weights) {
            sum += w
            divisor = BigInteger.valueOf(divisor).gcd(BigInteger.valueOf(w)).longValue()
        }
        long[] gained = new long[weights.length]
        String[] cycle = new String[(int) (sum.intdiv(divisor).longValue())]
        for (int i = 0; i < cycle.length; i++) {
            int most = 0
            for (int j = 0; j < weights.length; j++) {
                gained[j] += weights[j]
                if (gained[j] > gained[most]) most = j
            }
            gained[most] -= sum
            cycle[i] = names[most]
        }
        return cycle
    }

    static double number(JMeterVariables vars, String name) {
        try {
            return Double.parseDouble(vars.get(name))
        } catch (NumberFormatException | NullPointerException ignored) {
            throw new JMeterStopTestException(name + " must be a number, not '" + vars.get(name) + "'")
        }
    }

    // One pacer a test, whichever thread comes first; a second run in the GUI has a new engine.
    static void start(JMeterContext ctx, Properties props) {
        synchronized (props) {
            Pacer pacer = (Pacer) props.get('pacer')
            if (pacer == null || !pacer.engine.is(ctx.engine)) props.put('pacer', new Pacer(ctx.engine, ctx.variables))
        }
    }

    // The name of the request to send now. It returns when that is due.
    String take(JMeterContext ctx) {
        int thread = ctx.threadNum
        long now = System.nanoTime()
        for (Stage stage : stages) {
            if (now - stage.startNs >= stage.lastsNs) continue
            if (thread >= stage.threads) {
                if (!parkUntil(stage.startNs + stage.lastsNs)) return END
                now = System.nanoTime()
                continue
            }
            long k = stage.next.getAndIncrement()
            if (k < stage.slots) return await(ctx.variables, stage.dueNs(k), now)
        }
        if (!ended.getAndSet(true)) report()
        return END
    }

    // The same for a thread whose slots are its own.
    String takeOwn(JMeterContext ctx) {
        int thread = ctx.threadNum
        long now = System.nanoTime()
        double due = (thread + (double) ownNext(thread)[0]++ * threads) / rate
        if (due >= duration || now - startNs >= (long) (duration * 1e9d)) {
            if (leaving.incrementAndGet() == threads) report()
            return END
        }
        stages[due < rampUp || stages.size() == 1 ? 0 : 1].next.getAndIncrement()
        return await(ctx.variables, startNs + (long) (due * 1e9d), now)
    }

    // Waits until a thread whose slots are its own is to begin. JMeter started it then, but perhaps before this clock.
    void beginOwn(JMeterContext ctx) {
        parkUntil(startNs + (long) (rampUp * ctx.threadNum / threads * 1e9d))
    }

    // Lets go of the thread's own slots that are overdue: nothing could have been sent in them.
    void skipOwn(JMeterContext ctx) {
        long[] next = ownNext(ctx.threadNum)
        next[0] = Math.max(next[0], ownFrom(ctx.threadNum, (System.nanoTime() - startNs) / 1e9d))
    }

    private long[] ownNext(int thread) {
        return own.computeIfAbsent(thread) { [ownFrom(thread, rampUp * (thread + 0.5d) / threads)] as long[] }
    }

    // The number of the thread's first own slot at or after t seconds.
    private long ownFrom(int thread, double t) {
        return Math.max(0L, (long) Math.ceil((t * rate - thread) / threads - 1e-9d))
    }

    // Whether the load is over: what is left to do is to say goodbye.
    boolean over() {
        return System.nanoTime() - startNs >= (long) (duration * 1e9d)
    }

    // False when the thread is to end.
    private static boolean parkUntil(long ns) {
        while (ns - System.nanoTime() > 0L) {
            LockSupport.parkNanos(ns - System.nanoTime())
            if (Thread.interrupted()) return false
        }
        return true
    }

    // Where the slots of a stage that were not taken are told from those that never were due.
    private void report() {
        stages.eachWithIndex { Stage stage, int i ->
            long taken = Math.min(stage.next.get(), stage.slots)
            log.info('stage {} of {}: {} slots, {} taken', i + 1, stages.size(), stage.slots, taken)
        }
    }

    private String await(JMeterVariables vars, long dueNs, long now) {
        boolean waited = now - dueNs <= 0L
        if (!parkUntil(dueNs)) return END
        long n = taken.getAndIncrement()
        vars.put('REQUEST_ID', test + '-' + n)
        vars.put('late_ms', Long.toString((System.nanoTime() - dueNs + 500_000L).intdiv(1_000_000L).longValue()))
        vars.put('waited', waited ? '1' : '0')
        return mix[(int) (n % mix.length)]
    }
}

try {
    Pacer.start(ctx, props)
    return 0L
} catch (JMeterStopTestException e) {
    throw e
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('the pacing failed: ' + e, e)
}
