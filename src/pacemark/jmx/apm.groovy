// Tags for an APM: where the property APM names one, each request says which test it is part of.
//   dynatrace                      x-dynatrace-test: VU=3;SI=Pacemark;TSN=GET /tools;LSN=rest_api_baseline;LTN=...
//   newrelic, appdynamics, otel    baggage, by W3C: synthetic_request=true,test.case.name=GET%20/tools,...
//                                  beside the traceparent that each request has anyhow
// TSN and test.case.name are the sampler's name, VU and test.user the thread's number, from 1, among those of all
// engines; LSN and test.suite.name the plan's name, LTN and test.run.name that of this run (TEST_NAME).
// This script runs once a thread, before its first request. It adds the header to the thread's own Header Managers,
// and from then on JMeter tells it of every sample that starts.
import groovy.transform.CompileStatic
import java.lang.reflect.Field
import java.nio.charset.StandardCharsets
import java.time.Instant
import java.time.temporal.ChronoUnit
import org.apache.jmeter.protocol.http.control.Header
import org.apache.jmeter.protocol.http.control.HeaderManager
import org.apache.jmeter.samplers.SampleMonitor
import org.apache.jmeter.samplers.Sampler
import org.apache.jmeter.testelement.property.StringProperty
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterContextService
import org.apache.jmeter.threads.JMeterThread
import org.apache.jmeter.threads.JMeterVariables
import org.apache.jmeter.util.JMeterUtils
import org.apache.jorphan.collections.HashTree
import org.apache.jorphan.collections.SearchByClass
import org.apache.jorphan.util.JMeterStopTestException

// A header's value that is another one for each sampler.
@CompileStatic
class Tag extends StringProperty {
    String now = ''

    Tag() { super('Header.value', '') }

    String getStringValue() { return now }

    Object getObjectValue() { return now }

    // Where Header Managers are merged, they are copied.
    StringProperty clone() { return this }
}

@CompileStatic
class Apm implements SampleMonitor {
    static final List<String> BY_BAGGAGE = ['newrelic', 'appdynamics', 'otel']
    final boolean isDynatrace
    final String plan, run
    final int user
    final Tag tag = new Tag()
    final Map<String, String> byLabel = [:]

    Apm(JMeterContext ctx) {
        JMeterVariables vars = ctx.variables
        isDynatrace = vars.get('APM') == 'dynatrace'
        plan = vars.get('PLAN')
        String begun = Instant.ofEpochMilli(JMeterContextService.testStartTime).truncatedTo(ChronoUnit.SECONDS).toString()
        run = vars.get('TEST_NAME') ?: plan + ' ' + begun
        user = ctx.threadNum * JMeterUtils.getPropDefault('WORKERS', 1) + JMeterUtils.getPropDefault('WORKER', 0) + 1
    }

    String getHeader() { return isDynatrace ? 'x-dynatrace-test' : 'baggage' }

    // What a request of that name says.
    String value(String label) {
        String known = byLabel.get(label)
        if (known == null) byLabel.put(label, known = isDynatrace ? dynatrace(label) : baggage(label))
        return known
    }

    private String dynatrace(String label) {
        return 'VU=' + user + ';SI=Pacemark;TSN=' + plain(label) + ';LSN=' + plain(plan) + ';LTN=' + plain(run)
    }

    private String baggage(String label) {
        return 'synthetic_request=true,test.suite.name=' + escaped(plan) + ',test.run.name=' + escaped(run) +
            ',test.case.name=' + escaped(label) + ',test.user=' + user
    }

    // Its fields have no way to escape what parts them.
    private static String plain(String text) { return text.replaceAll(/[^ -~]|[;=]/, '_') }

    // W3C Baggage: all but baggage-octets is percent-encoded as UTF-8, and the percent sign too.
    private static String escaped(String text) {
        StringBuilder made = new StringBuilder()
        for (byte octet : text.getBytes(StandardCharsets.UTF_8)) {
            char one = (char) (octet & 0xff)
            if (one > (char) ' ' && one < (char) 127 && '%",;\\'.indexOf((int) one) < 0) made.append(one)
            else made.append(String.format('%%%02X', octet & 0xff))
        }
        return made.toString()
    }

    void sampleStarting(Sampler sampler) { tag.now = value(sampler.name) }

    void sampleEnded(Sampler sampler) { }

    static void begin(JMeterContext ctx) {
        JMeterVariables vars = ctx.variables
        String wanted = vars.get('APM')
        if (!wanted) return
        if (wanted != 'dynatrace' && !(wanted in BY_BAGGAGE)) throw new JMeterStopTestException('APM must be dynatrace, ' + BY_BAGGAGE.join(', ') + ' or empty, not ' + wanted)
        if (wanted in BY_BAGGAGE && JMeterUtils.getPropDefault('TRACING', 'true').equalsIgnoreCase('false')) throw new JMeterStopTestException('APM=' + wanted + ' needs the traceparent: leave out TRACING=false')
        Apm mine = new Apm(ctx)
        SearchByClass<HeaderManager> managers = new SearchByClass<>(HeaderManager)
        ((HashTree) hidden(ctx.thread, 'testTree')).traverse(managers)
        for (HeaderManager manager : managers.searchResults) {
            Header header = new Header(mine.header, '')
            header.setProperty(mine.tag)
            manager.add(header)
        }
        ((Collection<SampleMonitor>) hidden(ctx.thread, 'sampleMonitors')).add(mine)
        // For scripts that send requests.
        vars.putObject('apm', mine)
    }

    // JMeter hands no thread its tree, nor a way to hear of its samples.
    private static Object hidden(JMeterThread thread, String name) {
        Field field = JMeterThread.getDeclaredField(name)
        field.accessible = true
        return field.get(thread)
    }
}

try {
    Apm.begin(ctx)
    return 0L
} catch (JMeterStopTestException e) {
    throw e
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('the tags for an APM failed: ' + e, e)
}
