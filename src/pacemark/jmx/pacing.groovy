// Pacing: every request has a slot, the instant at which it is due. Threads take the next slot from one
// shared counter and wait until then, so the rate is the asked one whatever a request takes, and a
// thread that comes late knows by how much. The slot also says which request it is for, so the mix is
// exact over any stretch of time.
// This script only starts the clock, once a test, and has each thread's loop ask what its next turn is for: of
// the object in props that its parameter names (pacer: a slot). The answer, one of the names in MIX or the end,
// is put into NEXT as the number, from 0, of the Switch Controller's child of that name, and the Switch Controller
// does that. (A script called for every request would cost as much processor time as the request itself, for
// JMeter makes a new script engine each time; an expression a tenth; a name instead of a number, for which JMeter
// first throws an exception and then asks each child for its own, more than a twentieth.)
// Beside the name, take(ctx) sets
//   REQUEST_ID  an id no other request has, so that an answer can be told to be the answer to this one
//   late_ms     how late the request starts after its due time, milliseconds
//   waited      1: a thread waited idle for this slot; 0: the slot was overdue, every thread was busy; 2: no slot
//               (2 is for whoever sends something without a slot)
// Name the last two in sample_variables and they stand in the JTL beside each sample.
// Each turn has a trace of its own, unless TRACING is false:
//   trace_id     32 hexadecimal digits, sent as X-Correlation-ID and put beside the sample
//   traceparent  the same as W3C Trace Context has it, https://www.w3.org/TR/trace-context/
// With TRACING=false both headers are taken out of the thread's header managers.
// Slots that have not started when their stage ends are dropped: a backlog never leaks into the next stage.
// Where STAGES says so, a stage has fewer threads than the test: the others sleep until a later one.
// takeOwn(ctx) is for a thread that is a connection: of the slots at TARGET_RPS a second, thread i of n has
// every n-th, so that all threads together send evenly. It begins at i / n of the ramp-up (beginOwn) and has
// slots from (i + 1/2) / n on.
// Without TARGET_RPS there are no slots: think time makes the rate, and only over() is asked.
// Where the properties WORKERS and WORKER say that this engine is the WORKER-th, from 0, of several, all have
// the same slots and threads in mind, and this one takes each WORKERS-th: together they are one load.
import groovy.transform.CompileStatic
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicLong
import java.util.concurrent.locks.LockSupport
import java.util.function.BooleanSupplier
import java.util.function.Function
import java.util.regex.Matcher
import java.util.regex.Pattern
import org.apache.jmeter.control.Controller
import org.apache.jmeter.control.LoopController
import org.apache.jmeter.engine.event.LoopIterationEvent
import org.apache.jmeter.engine.event.LoopIterationListener
import org.apache.jmeter.protocol.http.control.HeaderManager
import org.apache.jmeter.protocol.http.sampler.HTTPSamplerProxy
import org.apache.jmeter.samplers.Sampler
import org.apache.jmeter.testelement.TestElement
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterThread
import org.apache.jmeter.threads.JMeterVariables
import org.apache.jmeter.util.JMeterUtils
import org.apache.jorphan.collections.HashTree
import org.apache.jorphan.collections.SearchByClass
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

    // How many of its slots are due by then.
    long dueBy(long ns) {
        double t = Math.min(lastsNs, ns - startNs) / 1e9d
        if (t < 0.0d) return 0L
        return Math.min(slots, (long) (fromPerS * t + (toPerS - fromPerS) / seconds * t * t / 2.0d) + 1L)
    }
}

@CompileStatic
class Pacer implements Function<JMeterContext, String> {
    final Object engine
    final List<Stage> stages = []
    final String[] mix
    final AtomicLong taken = new AtomicLong()
    final AtomicBoolean ended = new AtomicBoolean()
    final AtomicInteger leaving = new AtomicInteger()
    final String test = UUID.randomUUID().toString().substring(0, 8)
    final boolean tracing = !JMeterUtils.getPropDefault('TRACING', 'true').equalsIgnoreCase('false')
    final String engineTrace = hex(new java.security.SecureRandom().nextLong() | 1L)
    final AtomicLong traces = new AtomicLong()
    // Odd, so that its multiples are all different; 2 to the 64th by the golden ratio, so that they are spread.
    static final long SPREAD = -7046029254386353131L
    static final List<String> TRACE_HEADERS = ['X-Correlation-ID', 'traceparent']
    static final String END = 'default'
    static final Pattern STAGE = ~/.*: ([0-9.]+) s, ([0-9.]+) to ([0-9.]+) a second, ([0-9]+) threads/
    static final Logger log = LoggerFactory.getLogger('pacing')

    final int workers = JMeterUtils.getPropDefault('WORKERS', 1)
    final int worker = JMeterUtils.getPropDefault('WORKER', 0)
    static final int LONGEST_WAIT_MS = 35_000

    final long startNs
    final double duration, rampUp, rate
    final boolean paced
    final int threads
    final Map<Integer, long[]> ownSlots = new ConcurrentHashMap<>()

    Pacer(Object engine, JMeterVariables vars) {
        this.engine = engine
        mix = interleave(vars.get('MIX') ?: '100% next')
        duration = number(vars, 'DURATION')
        rampUp = Math.min(number(vars, 'RAMP_UP'), duration)
        paced = vars.get('TARGET_RPS') != null
        rate = paced ? number(vars, 'TARGET_RPS') : 0.0d
        threads = (int) number(vars, 'THREADS')
        if (paced && rate <= 0.0d) throw new JMeterStopTestException("TARGET_RPS must be above 0, not " + rate)
        loadWhatTheFirstRequestNeeds()
        startNs = agreedStart(JMeterUtils.getPropDefault('START_FOLDER', ''))
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
        if (!paced) return []
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

    // Engines of one load start at one instant: each says that it is ready, and is told when, in
    // milliseconds since 1970 on its own clock.
    private static long agreedStart(String folder) {
        if (!folder) return System.nanoTime()
        new File(folder, 'ready').createNewFile()
        File start = new File(folder, 'start')
        for (long end = System.nanoTime() + LONGEST_WAIT_MS * 1_000_000L; !start.exists(); Thread.sleep(5L)) {
            if (System.nanoTime() - end > 0L) throw new JMeterStopTestException('nobody said when to start')
        }
        return System.nanoTime() + (Long.parseLong(start.text.trim()) - System.currentTimeMillis()) * 1_000_000L
    }

    // How many of the numbers from 0 to n are this engine's.
    private long own(long n) {
        return (n - worker + workers - 1L).intdiv(workers).longValue()
    }

    // A request to a closed port loads the HTTP client, which takes 0.3 s: before the clock starts, not
    // between the first slots and their requests.
    private static void loadWhatTheFirstRequestNeeds() {
        new HTTPSamplerProxy(path: 'http://127.0.0.1:9/', method: 'GET').sample()
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
            // Of a run before it may be one of another class: JMeter compiles anew.
            Object pacer = props.get('pacer')
            if (!(pacer instanceof Pacer) || !((Pacer) pacer).engine.is(ctx.engine)) props.put('pacer', new Pacer(ctx.engine, ctx.variables))
        }
    }

    // A new trace; nothing where there is none.
    void trace(JMeterVariables vars) {
        if (!tracing) return
        String span = hex(traces.incrementAndGet() * SPREAD), id = engineTrace + span
        vars.put('trace_id', id)
        vars.put('traceparent', '00-' + id + '-' + span + '-01')
    }

    private static String hex(long bits) {
        String digits = Long.toHexString(bits)
        return '0000000000000000'.substring(digits.length()) + digits
    }

    // Takes the headers out of the header managers, which are each thread's own.
    private static void withoutTraces(JMeterContext ctx) {
        SearchByClass<HeaderManager> managers = new SearchByClass<>(HeaderManager)
        treeOf(ctx).traverse(managers)
        for (HeaderManager headers : managers.searchResults) TRACE_HEADERS.each { String name -> headers.removeHeaderNamed(name) }
    }

    private static HashTree treeOf(JMeterContext ctx) {
        java.lang.reflect.Field tree = JMeterThread.getDeclaredField('testTree')
        tree.accessible = true
        return (HashTree) tree.get(ctx.thread)
    }

    // Elements of a plan hear of a loop's turns by standing in it; a script has to find its thread's loop, and
    // JMeter hands no thread its tree.
    void eachTurn(JMeterContext ctx, Function<JMeterContext, String> next) {
        SearchByClass<LoopController> loops = new SearchByClass<>(LoopController)
        treeOf(ctx).traverse(loops)
        if (loops.searchResults.size() != 1) throw new JMeterStopTestException('the thread group must have one loop')
        LoopController loop = loops.searchResults.first()
        Map<String, String> numbers = numbersOfChoices(loops.getSubTree(loop).getTree(loop))
        loop.addIterationListener(new LoopIterationListener() {
            void iterationStart(LoopIterationEvent turn) {
                trace(ctx.variables)
                String name = next.apply(ctx)
                ctx.variables.put('NEXT', numbers.getOrDefault(name, name))
            }
        })
    }

    // By name, the places of a Switch Controller's children; it is the only child of the loop.
    private static Map<String, String> numbersOfChoices(HashTree loop) {
        Map<String, String> numbers = [:]
        int number = 0
        for (Object choice : loop.getTree(loop.list().first()).list()) {
            if (choice instanceof Controller || choice instanceof Sampler) {
                numbers.putIfAbsent(((TestElement) choice).name, Integer.toString(number++))
            }
        }
        return numbers
    }

    // The thread's number among those of all engines.
    private int index(JMeterContext ctx) {
        return ctx.threadNum * workers + worker
    }

    String apply(JMeterContext ctx) { return take(ctx) }

    // The name of the request to send now. It returns when that is due.
    String take(JMeterContext ctx) {
        int thread = index(ctx)
        long now = System.nanoTime()
        for (Stage stage : stages) {
            if (now - stage.startNs >= stage.lastsNs) continue
            if (thread >= stage.threads) {
                if (!parkUntil(stage.startNs + stage.lastsNs)) return END
                now = System.nanoTime()
                continue
            }
            long k = stage.next.getAndIncrement() * workers + worker
            if (k < stage.slots) return await(ctx.variables, stage.dueNs(k), now)
        }
        if (!ended.getAndSet(true)) report()
        return END
    }

    // The same for a thread whose slots are its own.
    String takeOwn(JMeterContext ctx) {
        int thread = index(ctx)
        long now = System.nanoTime()
        double due = (thread + (double) ownNext(thread)[0]++ * threads) / rate
        if (due >= duration || now - startNs >= (long) (duration * 1e9d)) {
            if (leaving.incrementAndGet() == own((long) threads)) report()
            return END
        }
        stages[due < rampUp || stages.size() == 1 ? 0 : 1].next.getAndIncrement()
        return await(ctx.variables, startNs + (long) (due * 1e9d), now)
    }

    // The same for a thread that holds its connection to the end of the load, however early its last slot is.
    // Null, and the slot stays, when `broken` is true before that; whoever makes it so unparks the thread. Slots
    // are moved by up to a quarter of their distance: evenly spaced, they would meet a server that polls for
    // them at one and the same instant of its cycle. (Multiples of the golden ratio fall evenly.)
    String takeHeld(JMeterContext ctx, BooleanSupplier broken) {
        int thread = index(ctx)
        long[] next = ownNext(thread)
        double slot = thread + (double) next[0] * threads, golden = slot * 0.6180339887498949d
        double moved = slot + (golden - Math.floor(golden) - 0.5d) / 2.0d * threads
        double due = Math.max(moved / rate, rampUp * (thread + 0.5d) / threads)
        if (due >= duration || over()) {
            parkUntil(startNs + (long) (duration * 1e9d), broken)
            if (!over()) return broken.asBoolean ? null : END
            if (leaving.incrementAndGet() == own((long) threads)) report()
            return END
        }
        long dueNs = startNs + (long) (due * 1e9d)
        boolean waited = System.nanoTime() - dueNs <= 0L
        if (!parkUntil(dueNs, broken)) return END
        if (broken.asBoolean) return null
        next[0]++
        stages[due < rampUp || stages.size() == 1 ? 0 : 1].next.getAndIncrement()
        return begin(ctx.variables, dueNs, waited)
    }

    // Waits until a thread whose slots are its own is to begin. JMeter started it then, but perhaps before this clock.
    void beginOwn(JMeterContext ctx) {
        parkUntil(startNs + (long) (rampUp * index(ctx) / threads * 1e9d))
    }

    // Lets go of the thread's own slots that are overdue: nothing could have been sent in them.
    void skipOwn(JMeterContext ctx) {
        long[] next = ownNext(index(ctx))
        next[0] = Math.max(next[0], ownFrom(index(ctx), (System.nanoTime() - startNs) / 1e9d))
    }

    private long[] ownNext(int thread) {
        return ownSlots.computeIfAbsent(thread) { [ownFrom(thread, rampUp * (thread + 0.5d) / threads)] as long[] }
    }

    // The number of the thread's first own slot at or after t seconds.
    private long ownFrom(int thread, double t) {
        return Math.max(0L, (long) Math.ceil((t * rate - thread) / threads - 1e-9d))
    }

    // How many of this engine's slots have been due so far.
    long due() {
        long now = System.nanoTime(), count = 0L
        for (Stage stage : stages) count += own(stage.dueBy(now))
        return count
    }

    // Whether the load is over: what is left to do is to say goodbye.
    boolean over() {
        return System.nanoTime() - startNs >= (long) (duration * 1e9d)
    }

    // False when the thread is to end.
    private static boolean parkUntil(long ns, BooleanSupplier broken = null) {
        while (ns - System.nanoTime() > 0L && (broken == null || !broken.asBoolean)) {
            LockSupport.parkNanos(ns - System.nanoTime())
            if (Thread.interrupted()) return false
        }
        return true
    }

    // Where the slots of a stage that were not taken are told from those that never were due. Slots that are
    // threads' own are not exactly as many in each stage as its integral says.
    private void report() {
        stages.eachWithIndex { Stage stage, int i ->
            long slots = own(stage.slots), begun = stage.next.get()
            if (ownSlots) slots = Math.max(slots, begun)
            log.info('stage {} of {}: {} slots, {} taken', i + 1, stages.size(), slots, Math.min(begun, slots))
        }
    }

    private String await(JMeterVariables vars, long dueNs, long now) {
        boolean waited = now - dueNs <= 0L
        if (!parkUntil(dueNs)) return END
        return begin(vars, dueNs, waited)
    }

    private String begin(JMeterVariables vars, long dueNs, boolean waited) {
        long n = taken.getAndIncrement()
        vars.put('REQUEST_ID', test + '-' + n)
        vars.put('late_ms', Long.toString((System.nanoTime() - dueNs + 500_000L).intdiv(1_000_000L).longValue()))
        vars.put('waited', waited ? '1' : '0')
        // Engines begin at different places, so that what is rare comes from one at a time.
        return mix[(int) ((n + worker * mix.length.intdiv(workers).longValue()) % mix.length)]
    }
}

try {
    Pacer.start(ctx, props)
    if (!props.get('pacer').tracing) Pacer.withoutTraces(ctx)
    if (Parameters) props.get('pacer').eachTurn(ctx, props.get(Parameters))
    return 0L
} catch (JMeterStopTestException e) {
    throw e
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('the pacing failed: ' + e, e)
}
